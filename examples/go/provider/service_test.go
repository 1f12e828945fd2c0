package provider

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pact-foundation/pact-go/v2/models"
	"github.com/pact-foundation/pact-go/v2/provider"
)

// The pacts come from the broker of PACT_BROKER_BASE_URL, and the results go back to it.
// PACT_BROKER_TOKEN, or PACT_BROKER_USERNAME and PACT_BROKER_PASSWORD, are read by Pact itself.
func TestServiceHonoursItsPacts(t *testing.T) {
	service := new(Service)
	server := httptest.NewServer(service.Handler())
	defer server.Close()
	request := provider.VerifyRequest{
		Provider:                   "GoUserService",
		ProviderBaseURL:            server.URL,
		BrokerURL:                  os.Getenv("PACT_BROKER_BASE_URL"),
		ProviderVersion:            setting("VERSION", "1.0.0"),
		ProviderBranch:             os.Getenv("BRANCH"),
		ProviderTags:               words(os.Getenv("TAG")),
		PublishVerificationResults: true,
		FailIfNoPactsFound:         true,
		StateHandlers: models.StateHandlers{
			"User sally exists":         having(service, User{ID: 10, Name: "sally"}),
			"User sally does not exist": having(service),
		},
	}
	selectPacts(t, &request)
	if err := provider.NewVerifier().VerifyProvider(t, request); err != nil {
		t.Fatal(err)
	}
}

// Without a branch, the older way is used: the newest pacts of the tags, here those of the consumer's own TAG.
func selectPacts(t *testing.T, request *provider.VerifyRequest) {
	t.Helper()
	if request.ProviderBranch == "" {
		for _, tag := range request.ProviderTags {
			selector := provider.ConsumerVersionSelector{Tag: tag, Latest: true}
			request.ConsumerVersionSelectors = append(request.ConsumerVersionSelectors, &selector)
		}
		return
	}
	request.ConsumerVersionSelectors = []provider.Selector{
		&provider.ConsumerVersionSelector{MainBranch: true},
		&provider.ConsumerVersionSelector{MatchingBranch: true},
		&provider.ConsumerVersionSelector{DeployedOrReleased: true},
	}
	// A new expectation does not break the provider's build before the provider has met it once.
	request.EnablePending = true
	if since := os.Getenv("WIP_SINCE"); since != "" {
		day, err := time.Parse(time.DateOnly, since)
		if err != nil {
			t.Fatal(err)
		}
		request.IncludeWIPPactsSince = &day
	}
}

// having makes a state handler: before an interaction these users exist, after it none.
func having(service *Service, users ...User) models.StateHandler {
	return func(setup bool, _ models.ProviderState) (models.ProviderStateResponse, error) {
		if setup {
			service.Replace(users...)
		} else {
			service.Replace()
		}
		return nil, nil
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
