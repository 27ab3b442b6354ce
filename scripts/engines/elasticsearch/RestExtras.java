package coapcollector;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.action.admin.indices.create.AutoCreateAction;
import org.elasticsearch.action.admin.indices.create.CreateIndexRequest;
import org.elasticsearch.action.admin.indices.create.CreateIndexResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.env.Environment;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.Index;
import org.elasticsearch.index.IndexNotFoundException;
import org.elasticsearch.index.IndexSettings;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.action.RestToXContentListener;
import org.elasticsearch.xcontent.ToXContentObject;
import org.elasticsearch.xcontent.XContentBuilder;

/**
 * What the small distribution leaves to modules it does not have: GET /, reading and creating data
 * streams, and the text analysis without which the index of API keys cannot be created.
 */
public final class RestExtras extends Plugin implements ActionPlugin, AnalysisPlugin {
    private ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
            Settings settings, NamedWriteableRegistry registry, RestController controller,
            ClusterSettings clusterSettings, IndexScopedSettings indexSettings,
            SettingsFilter filter, IndexNameExpressionResolver resolver,
            Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return List.of(new Root(), new ListStreams(), new CreateStream());
    }

    private final class Root extends BaseRestHandler {
        @Override public String getName() { return "extras_root"; }

        @Override public List<Route> routes() {
            return List.of(new Route(Method.GET, "/"), new Route(Method.HEAD, "/"));
        }

        @Override protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            Build build = Build.current();
            return channel -> channel.sendResponse(new RestResponse(RestStatus.OK, channel.newBuilder()
                .startObject()
                .field("name", cluster.getNodeName())
                .field("cluster_name", cluster.getClusterName().value())
                .field("cluster_uuid", cluster.state().metadata().clusterUUID())
                .startObject("version")
                .field("number", build.qualifiedVersion())
                .field("build_flavor", build.flavor())
                .field("build_type", build.type().displayName())
                .field("build_hash", build.hash())
                .endObject()
                .field("tagline", "You Know, for Search")
                .endObject()));
        }
    }

    private final class ListStreams extends BaseRestHandler {
        @Override public String getName() { return "extras_streams"; }

        @Override public List<Route> routes() {
            return List.of(new Route(Method.GET, "/_data_stream"),
                           new Route(Method.GET, "/_data_stream/{name}"));
        }

        @Override protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            String wanted = request.param("name", "*");
            return channel -> {
                List<DataStream> found = cluster.state().metadata().dataStreams().values().stream()
                    .filter(stream -> Regex.simpleMatch(wanted.split(","), stream.getName())).toList();
                if (found.isEmpty() && !Regex.isSimpleMatchPattern(wanted)) {
                    throw new IndexNotFoundException(wanted);
                }
                XContentBuilder answer = channel.newBuilder().startObject().startArray("data_streams");
                for (DataStream stream : found) write(stream, answer);
                channel.sendResponse(new RestResponse(RestStatus.OK, answer.endArray().endObject()));
            };
        }

        private void write(DataStream stream, XContentBuilder answer) throws java.io.IOException {
            answer.startObject().field("name", stream.getName());
            answer.startObject("timestamp_field").field("name", "@timestamp").endObject();
            answer.startArray("indices");
            for (Index index : stream.getIndices()) {
                answer.startObject().field("index_name", index.getName())
                    .field("index_uuid", index.getUUID()).endObject();
            }
            answer.endArray().field("generation", stream.getGeneration()).endObject();
        }
    }

    /** As an index is created by the first document: the template says that it is a data stream. */
    private static final class CreateStream extends BaseRestHandler {
        @Override public String getName() { return "extras_create_stream"; }

        @Override public List<Route> routes() {
            return List.of(new Route(Method.PUT, "/_data_stream/{name}"));
        }

        @Override protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            CreateIndexRequest create = new CreateIndexRequest(request.param("name"));
            ToXContentObject done = (builder, parameters) ->
                builder.startObject().field("acknowledged", true).endObject();
            return channel -> client.execute(AutoCreateAction.INSTANCE, create,
                new RestToXContentListener<ToXContentObject>(channel)
                    .<CreateIndexResponse>map(response -> done));
        }
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("uax_url_email", (index, environment, name, settings) ->
            TokenizerFactory.newFactory(name, UAX29URLEmailTokenizer::new));
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of("unique", Unique::new,
                      "pattern_capture", AnalysisPlugin.requiresAnalysisSettings(Capture::new));
    }

    private static final class Unique extends AbstractTokenFilterFactory {
        Unique(IndexSettings index, Environment environment, String name, Settings settings) {
            super(name, settings);
        }

        @Override public TokenStream create(TokenStream tokens) {
            return new RemoveDuplicatesTokenFilter(tokens);
        }
    }

    private static final class Capture extends AbstractTokenFilterFactory {
        private final boolean keepOriginal;
        private final Pattern[] patterns;

        Capture(IndexSettings index, Environment environment, String name, Settings settings) {
            super(name, settings);
            keepOriginal = settings.getAsBoolean("preserve_original", true);
            patterns = settings.getAsList("patterns").stream().map(Pattern::compile)
                .toArray(Pattern[]::new);
        }

        @Override public TokenStream create(TokenStream tokens) {
            return new PatternCaptureGroupTokenFilter(tokens, keepOriginal, patterns);
        }
    }
}
