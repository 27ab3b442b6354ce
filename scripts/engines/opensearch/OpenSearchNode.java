import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.geo.GeoModulePlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.transport.Netty4Plugin;

/** One OpenSearch node inside this process, until SIGTERM: OpenSearchNode DIR setting=value... */
public final class OpenSearchNode extends Node {
    private OpenSearchNode(Environment environment) {
        super(environment, List.of(GeoModulePlugin.class, Netty4Plugin.class, PainlessPlugin.class), true);
    }

    private static Environment environment(Path directory, String[] settings) throws Exception {
        Settings.Builder all = Settings.builder()
            .put("path.home", Files.createDirectories(directory).toString())
            .put("path.data", directory.resolve("nodes").toString());
        for (String setting : settings) {
            String[] pair = setting.split("=", 2);
            all.put(pair[0], pair[1]);
        }
        return InternalSettingsPreparer.prepareEnvironment(all.build(), Map.of(), null, () -> "local");
    }

    public static void main(String[] arguments) {
        try {
            Path directory = Path.of(arguments[0]).toAbsolutePath();
            String[] settings = java.util.Arrays.copyOfRange(arguments, 1, arguments.length);
            Node node = new OpenSearchNode(environment(directory, settings));
            Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
            node.start();
            Thread.currentThread().join();  // the node has threads of its own; this one keeps it
        } catch (Throwable failure) {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);  // what is half started would keep the process alive
        }
    }

    private static void close(Node node) {
        try {
            node.close();
        } catch (Exception failure) {
            failure.printStackTrace();
        }
    }
}
