// Package provider is the user service, which its consumers' pacts describe.
package provider

import (
	"encoding/json"
	"net/http"
	"sync"
)

// User is what the service knows about a person.
type User struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Service answers GET /users/{name} from its memory.
type Service struct {
	mutex sync.Mutex
	users map[string]User
}

// Replace sets the users that exist.
func (s *Service) Replace(users ...User) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.users = make(map[string]User, len(users))
	for _, user := range users {
		s.users[user.Name] = user
	}
}

// Handler returns the service's routes.
func (s *Service) Handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /users/{name}", func(response http.ResponseWriter, request *http.Request) {
		s.mutex.Lock()
		user, exists := s.users[request.PathValue("name")]
		s.mutex.Unlock()
		if !exists {
			http.Error(response, "There is no such user.", http.StatusNotFound)
			return
		}
		response.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(response).Encode(user)
	})
	return routes
}
