// A CoAP client for the tests, made of Californium: takes requests on standard input, one a line,
// and prints an answer for each. tests/functional/interop.py says how the lines look.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import org.eclipse.californium.core.WebLink;
import org.eclipse.californium.core.coap.CoAP;
import org.eclipse.californium.core.coap.LinkFormat;
import org.eclipse.californium.core.coap.MediaTypeRegistry;
import org.eclipse.californium.core.coap.MessageObserverAdapter;
import org.eclipse.californium.core.coap.Option;
import org.eclipse.californium.core.coap.OptionSet;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.network.Endpoint;
import org.eclipse.californium.elements.config.Configuration;

public class Client {
  private static final Map<String, Endpoint> endpoints = new HashMap<>(); // by block size

  private static Endpoint endpoint(String blockBytes) throws Exception {
    Endpoint endpoint = endpoints.get(blockBytes);
    if (endpoint == null) {
      Configuration configuration = Configuration.createStandardWithoutFile();
      if (!blockBytes.equals("-")) {
        configuration.set(CoapConfig.PREFERRED_BLOCK_SIZE, Integer.parseInt(blockBytes));
        configuration.set(CoapConfig.MAX_MESSAGE_SIZE, Integer.parseInt(blockBytes));
      }
      endpoint = CoapEndpoint.builder().setConfiguration(configuration).build();
      endpoint.start();
      endpoints.put(blockBytes, endpoint);
    }
    return endpoint;
  }

  private static synchronized void say(String id, String what) {
    System.out.println(id + " " + what);
    System.out.flush();
  }

  private static String described(Response response) {
    OptionSet options = response.getOptions();
    byte[] body = response.getPayload();
    if (options.isContentFormat(MediaTypeRegistry.APPLICATION_LINK_FORMAT)) {
      // Californium's own reading of the links, written again.
      Set<WebLink> links = LinkFormat.parse(response.getPayloadString());
      body = LinkFormat.serialize(links).getBytes();
    }
    return response.getCode()
        + " " + (options.hasContentFormat() ? options.getContentFormat() : "-")
        + " " + (options.hasMaxAge() ? options.getMaxAge() : "-")
        + " " + (body.length == 0 ? "-" : HexFormat.of().formatHex(body));
  }

  private static void ask(String line) throws Exception {
    String[] field = line.split(" ");
    String id = field[0];
    Request request = new Request(CoAP.Code.valueOf(field[1]), CoAP.Type.valueOf(field[2]));
    request.setURI(field[3]);
    if (!field[4].equals("-")) request.getOptions().setContentFormat(Integer.parseInt(field[4]));
    if (!field[5].equals("-")) request.getOptions().setAccept(Integer.parseInt(field[5]));
    if (!field[6].equals("-")) {
      request.getOptions().addOption(new Option(Integer.parseInt(field[6]), new byte[] {'x'}));
    }
    if (!field[8].equals("-")) request.setPayload(HexFormat.of().parseHex(field[8]));
    request.addMessageObserver(
        new MessageObserverAdapter() {
          @Override
          public void onResponse(Response response) {
            say(id, described(response));
          }

          @Override
          protected void failed() {
            say(id, request.isRejected() ? "rejected" : "no answer in time");
          }

          @Override
          public void onCancel() {
            say(id, "given up");
          }
        });
    request.send(endpoint(field[7]));
  }

  public static void main(String[] arguments) throws Exception {
    CoapConfig.register();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      ask(line);
    }
    System.exit(0);
  }
}
