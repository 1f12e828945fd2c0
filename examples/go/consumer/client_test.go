package consumer

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pact-foundation/pact-go/v2/consumer"
	"github.com/pact-foundation/pact-go/v2/matchers"
)

// The mock server answers as the interactions say. When the test passes, they are written to ../pacts.
func mockProvider(t *testing.T) *consumer.V4HTTPMockProvider {
	t.Helper()
	mock, err := consumer.NewV4Pact(consumer.MockHTTPProviderConfig{
		Consumer: "GoAdminService",
		Provider: "GoUserService",
		PactDir:  "../pacts",
		Host:     "127.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return mock
}

func client(mock consumer.MockServerConfig) Client {
	return Client{BaseURL: fmt.Sprintf("http://%s:%d", mock.Host, mock.Port)}
}

func TestUserWhoExists(t *testing.T) {
	err := mockProvider(t).AddInteraction().
		Given("User sally exists").
		UponReceiving("a request for sally").
		WithRequest("GET", "/users/sally").
		WillRespondWith(200, func(response *consumer.V4ResponseBuilder) {
			response.
				Header("Content-Type", matchers.Regex("application/json", "application/json.*")).
				JSONBody(matchers.Map{"id": matchers.Integer(10), "name": matchers.Like("sally")})
		}).
		ExecuteTest(t, func(mock consumer.MockServerConfig) error {
			user, err := client(mock).User("sally")
			if err == nil && user.Name != "sally" {
				err = fmt.Errorf("got %q instead of sally", user.Name)
			}
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUserWhoDoesNotExist(t *testing.T) {
	err := mockProvider(t).AddInteraction().
		Given("User sally does not exist").
		UponReceiving("a request for sally, who does not exist").
		WithRequest("GET", "/users/sally").
		WillRespondWith(404).
		ExecuteTest(t, func(mock consumer.MockServerConfig) error {
			if _, err := client(mock).User("sally"); !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("got %v instead of %v", err, ErrNotFound)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}
