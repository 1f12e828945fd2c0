package example;

import au.com.dius.pact.provider.junit5.HttpTestTarget;
import au.com.dius.pact.provider.junit5.PactVerificationContext;
import au.com.dius.pact.provider.junit5.PactVerificationInvocationContextProvider;
import au.com.dius.pact.provider.junitsupport.Provider;
import au.com.dius.pact.provider.junitsupport.State;
import au.com.dius.pact.provider.junitsupport.loader.PactBroker;
import au.com.dius.pact.provider.junitsupport.loader.PactBrokerConsumerVersionSelectors;
import au.com.dius.pact.provider.junitsupport.loader.SelectorBuilder;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Verifies the pacts that the broker selects. @PactBroker reads its properties: pactbroker.url, pactbroker.auth.token,
 * pactbroker.providerBranch, pactbroker.providerTags, pactbroker.enablePending, pactbroker.includeWipPactsSince.
 * Results are published with -Dpact.verifier.publishResults=true.
 */
@Provider("JvmOrderService")
@PactBroker
class ProviderTest {
  private static OrderService service;

  /** The older way selects by a tag; the newer one by branches and environments. */
  @PactBrokerConsumerVersionSelectors
  public static SelectorBuilder selectors() {
    var tag = System.getProperty("consumer.tag", "");
    return tag.isEmpty()
        ? new SelectorBuilder().mainBranch().matchingBranch().deployedOrReleased()
        : new SelectorBuilder().latestTag(tag);
  }

  @BeforeAll
  static void start() throws IOException {
    service = new OrderService();
  }

  @AfterAll
  static void stop() {
    service.close();
  }

  @BeforeEach
  void target(PactVerificationContext context) {
    context.setTarget(new HttpTestTarget("127.0.0.1", service.port()));
  }

  @TestTemplate
  @ExtendWith(PactVerificationInvocationContextProvider.class)
  void honoursItsPacts(PactVerificationContext context) {
    context.verifyInteraction();
  }

  @State("order 7 exists")
  void orderExists() {
    service.add(7, 1250);
  }

  @State("there are no orders")
  void noOrders() {
    service.clear();
  }
}
