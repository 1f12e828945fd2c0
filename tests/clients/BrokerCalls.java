import au.com.dius.pact.core.pactbroker.ConsumerVersionSelectors;
import au.com.dius.pact.core.pactbroker.IgnoreSelector;
import au.com.dius.pact.core.pactbroker.Latest;
import au.com.dius.pact.core.pactbroker.PactBrokerClient;
import au.com.dius.pact.core.pactbroker.PactBrokerClientConfig;
import au.com.dius.pact.core.pactbroker.PactBrokerResult;
import au.com.dius.pact.core.pactbroker.PublishConfiguration;
import au.com.dius.pact.core.pactbroker.TestResult;
import au.com.dius.pact.core.pactbroker.To;
import au.com.dius.pact.core.support.Result;
import java.io.File;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Calls the methods of pact-jvm's client of a broker, and prints a line with each result.
 *
 * One is left out: fetchLatestConsumersWithNoTag needs a link of the index that no broker has.
 */
public class BrokerCalls {
  private static final String CONSUMER = "Order Page/ü";
  private static final String PROVIDER = "OrderService"; // the client does not encode a name to ignore

  /** Arguments: the URL, the files of two pacts, then "bearer" and a token, or "basic", a user and a password. */
  public static void main(String[] arguments) {
    List<String> words = List.of(arguments);
    PactBrokerClient broker = connect(words.get(0), words.subList(3, words.size()));
    File pact = new File(words.get(1));

    print("publish", broker.uploadPactFile(pact, tagged("1", "dev", "feat/x")));
    print("publish again", broker.uploadPactFile(pact, tagged("1", "dev", "feat/x")));
    print("publish other content", broker.uploadPactFile(new File(words.get(2)), tagged("1", "dev")));
    print("publish on a branch", broker.uploadPactFile(new File(words.get(2)),
        new PublishConfiguration("2", List.of(), "main", "https://ci.example.org/2")));
    print("deployable with a wrong token", deployable(connect(words.get(0), List.of("bearer", "wrong")),
        new Latest.UseLatest(true), null, List.of()));

    print("consumers", names(broker.fetchConsumers(PROVIDER)));
    print("consumers of an unknown provider", names(broker.fetchConsumers("Unknown")));
    print("consumers with a tag", names(broker.fetchConsumersWithTag(PROVIDER, "feat/x")));
    print("consumers with an unknown tag", names(broker.fetchConsumersWithTag(PROVIDER, "none")));

    select(broker, "main branch", ConsumerVersionSelectors.MainBranch.INSTANCE);
    select(broker, "branch", new ConsumerVersionSelectors.Branch("none", CONSUMER, "main"));
    select(broker, "matching branch", ConsumerVersionSelectors.MatchingBranch.INSTANCE);
    select(broker, "deployed or released", ConsumerVersionSelectors.DeployedOrReleased.INSTANCE);
    select(broker, "deployed", new ConsumerVersionSelectors.DeployedTo("production"));
    select(broker, "released", new ConsumerVersionSelectors.ReleasedTo("production"));
    select(broker, "environment", new ConsumerVersionSelectors.Environment("production"));
    select(broker, "tag", new ConsumerVersionSelectors.Tag("dev"));
    select(broker, "latest tag", new ConsumerVersionSelectors.LatestTag("none", "dev"));
    select(broker, "older form", new ConsumerVersionSelectors.Selector("dev", true, CONSUMER, null));

    String url = broker.fetchConsumersWithTag(PROVIDER, "dev").get(0).getSource();
    Map<String, ?> links = broker.fetchPact(url, false).getLinks();
    print("result with failures", broker.publishVerificationResults(links, failures(), "4", "https://ci.example.org/4"));
    print("deployable after failures", deployable(broker, new Latest.UseLatest(false), new To("prod"), List.of()));
    print("result", broker.publishVerificationResults(links, new TestResult.Ok(), "5", null));
    print("provider tags", broker.publishProviderTags(links, PROVIDER, List.of("prod", "feat/y"), "5"));
    print("provider branch", broker.publishProviderBranch(links, PROVIDER, "main", "5"));

    print("deployable to tag", deployable(broker, new Latest.UseLatest(false), new To("prod"), List.of()));
    print("deployable to main branch",
        deployable(broker, new Latest.UseLatest(false), new To(null, null, true), List.of()));
    print("deployable to environment",
        deployable(broker, new Latest.UseLatest(false), new To(null, "production"), List.of()));
    print("deployable if ignored", deployable(broker, new Latest.UseLatest(false), new To(null, "production"),
        List.of(new IgnoreSelector("Billing", "5"), new IgnoreSelector(PROVIDER))));
    print("latest deployable", deployable(broker, new Latest.UseLatest(true), null, List.of()));
    print("latest of a tag deployable", deployable(broker, new Latest.UseLatestTag("dev"), null, List.of()));
    print("version tag", broker.createVersionTag(CONSUMER, "1", "prod"));
  }

  private static PactBrokerClient connect(String url, List<String> authentication) {
    Map<String, Object> options = new HashMap<>(Map.of("authentication", authentication));
    return new PactBrokerClient(url, options, new PactBrokerClientConfig());
  }

  private static PublishConfiguration tagged(String version, String... tags) {
    return new PublishConfiguration(version, List.of(tags));
  }

  private static TestResult failures() {
    Map<String, Object> mismatch = Map.of("interactionId", "1", "attribute", "body", "identifier", "$.total",
        "description", "Expected a number", "interactionDescription", "a request for order 7");
    Map<String, Object> exception = Map.of("interactionId", "2", "exception", new IllegalStateException("no database"));
    return new TestResult.Failed(List.of(mismatch, exception), "Request to provider failed");
  }

  @SuppressWarnings("unchecked")
  private static void select(PactBrokerClient broker, String title, ConsumerVersionSelectors selector) {
    Result<List<PactBrokerResult>, Exception> found = broker.fetchConsumersWithSelectorsV2(
        PROVIDER, List.of(selector), List.of("prod"), "main", true, "2020-01-01");
    print("select " + title, found instanceof Result.Ok<?> ok ? describe((List<PactBrokerResult>) ok.getValue()) : found);
  }

  private static String describe(List<PactBrokerResult> pacts) {
    return pacts.stream()
        .map(pact -> (pact.getWip() ? "wip" : "selected") + (pact.getPending() ? " pending" : "")
            + " notices:" + pact.getNotices().size())
        .sorted()
        .collect(Collectors.joining(", "));
  }

  private static List<String> names(List<PactBrokerResult> pacts) {
    return pacts.stream().map(PactBrokerResult::getName).toList();
  }

  private static Object deployable(PactBrokerClient broker, Latest latest, To to, List<IgnoreSelector> ignored) {
    var answer = broker.canIDeploy(CONSUMER, "1", latest, to, ignored);
    return answer.getOk() + ", unknown " + answer.getUnknown() + ", result " + (answer.getVerificationResultUrl() != null)
        + ": " + answer.getMessage() + answer.getReason();
  }

  private static void print(String step, Object result) {
    System.out.println(step + " = " + result.toString().replace("\n", " "));
  }
}
