package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Optional;

/** The consumer's code that the contract protects: it reads orders from another service. */
public final class OrderClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private final HttpClient http = HttpClient.newHttpClient();
  private final String baseUrl;

  public OrderClient(String baseUrl) {
    this.baseUrl = baseUrl;
  }

  /** Fetches the total of an order in cents, or nothing if there is no such order. */
  public Optional<Integer> total(int order) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(baseUrl + "/orders/" + order)).build();
    var response = http.send(request, BodyHandlers.ofString());
    return switch (response.statusCode()) {
      case 200 -> Optional.of(JSON.readTree(response.body())).map(body -> body.get("total")).map(JsonNode::asInt);
      case 404 -> Optional.empty();
      default -> throw new IOException("The order service answered " + response.statusCode());
    };
  }
}
