// Package consumer is the service that the contract protects: it reads users from another service.
package consumer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// ErrNotFound says that the user service has no such user.
var ErrNotFound = errors.New("there is no such user")

// User is the part of the provider's response that this consumer relies on.
type User struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Client calls the user service at its BaseURL.
type Client struct {
	BaseURL string
}

// User fetches one user. It returns ErrNotFound for a name that the service does not have.
func (c Client) User(name string) (*User, error) {
	response, err := http.Get(c.BaseURL + "/users/" + url.PathEscape(name))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		user := new(User)
		return user, json.NewDecoder(response.Body).Decode(user)
	case http.StatusNotFound:
		return nil, ErrNotFound
	default:
		return nil, fmt.Errorf("the user service answered %s", response.Status)
	}
}
