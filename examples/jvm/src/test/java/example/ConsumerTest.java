package example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import au.com.dius.pact.consumer.MockServer;
import au.com.dius.pact.consumer.dsl.PactBuilder;
import au.com.dius.pact.consumer.dsl.PactDslJsonBody;
import au.com.dius.pact.consumer.junit5.PactConsumerTestExt;
import au.com.dius.pact.consumer.junit5.PactTestFor;
import au.com.dius.pact.core.model.V4Pact;
import au.com.dius.pact.core.model.annotations.Pact;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the client asks of the order service. Tests that pass write the pact to target/pacts. */
@ExtendWith(PactConsumerTestExt.class)
@PactTestFor(providerName = "JvmOrderService")
class ConsumerTest {
  private static final String CONSUMER = "JvmOrderPage";

  @Pact(consumer = CONSUMER)
  V4Pact existingOrder(PactBuilder builder) {
    return builder
        .given("order 7 exists")
        .expectsToReceiveHttpInteraction("a request for order 7", http -> http
            .withRequest(request -> request.method("GET").path("/orders/7"))
            .willRespondWith(response -> response.status(200).body(new PactDslJsonBody().integerType("total", 1250))))
        .toPact();
  }

  @Test
  @PactTestFor(pactMethod = "existingOrder")
  void readsTheTotal(MockServer server) throws Exception {
    assertEquals(Optional.of(1250), new OrderClient(server.getUrl()).total(7));
  }

  @Pact(consumer = CONSUMER)
  V4Pact missingOrder(PactBuilder builder) {
    return builder
        .given("there are no orders")
        .expectsToReceiveHttpInteraction("a request for an order that does not exist", http -> http
            .withRequest(request -> request.method("GET").path("/orders/7"))
            .willRespondWith(response -> response.status(404)))
        .toPact();
  }

  @Test
  @PactTestFor(pactMethod = "missingOrder")
  void findsNoOrder(MockServer server) throws Exception {
    assertEquals(Optional.empty(), new OrderClient(server.getUrl()).total(7));
  }
}
