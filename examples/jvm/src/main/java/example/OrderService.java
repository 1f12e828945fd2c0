package example;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The provider: it answers GET /orders/{number} from its memory. */
public final class OrderService implements AutoCloseable {
  private static final String PATH = "/orders/";
  private final Map<String, Integer> totals = new ConcurrentHashMap<>();
  private final HttpServer server;

  public OrderService() throws IOException {
    server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext(PATH, this::answer);
    server.start();
  }

  public int port() {
    return server.getAddress().getPort();
  }

  /** Keeps an order and its total in cents. */
  public void add(int order, int total) {
    totals.put(Integer.toString(order), total);
  }

  public void clear() {
    totals.clear();
  }

  private void answer(HttpExchange exchange) throws IOException {
    var order = exchange.getRequestURI().getPath().substring(PATH.length());
    var total = totals.get(order);
    try (exchange) {
      if (total == null) {
        exchange.sendResponseHeaders(404, -1);
        return;
      }
      var body = "{\"order\": %s, \"total\": %d}".formatted(order, total).getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
