// A CoAP client for the tests, made of Californium: takes requests on standard input, one a line,
// and prints an answer for each. tests/functional/interop.py says how the lines look.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.SequenceInputStream;
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
import org.eclipse.californium.elements.util.SslContextUtil;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedSinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticNewAdvancedCertificateVerifier;

public class Client {
  // By block size and credentials; one of DTLS keeps its session.
  private static final Map<String, Endpoint> endpoints = new HashMap<>();

  private static DTLSConnector connector(Configuration configuration, String[] credentials)
      throws Exception {
    DtlsConnectorConfig.Builder dtls = DtlsConnectorConfig.builder(configuration);
    dtls.set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.CLIENT_ONLY);
    if (!credentials[1].equals("-")) {
      dtls.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
      dtls.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.valueOf(credentials[1]));
    }
    if (credentials[0].equals("psk")) {
      dtls.setAdvancedPskStore(
          new AdvancedSinglePskStore(credentials[2], HexFormat.of().parseHex(credentials[3])));
      return new DTLSConnector(dtls.build());
    }
    try (InputStream pem =
        new SequenceInputStream(
            new FileInputStream(credentials[3]), new FileInputStream(credentials[2]))) {
      SslContextUtil.Credentials own = SslContextUtil.loadPemCredentials(pem);
      dtls.setCertificateIdentityProvider(
          new SingleCertificateProvider(
              own.getPrivateKey(), own.getCertificateChain(), CertificateType.X_509));
    }
    dtls.setAdvancedCertificateVerifier(
        StaticNewAdvancedCertificateVerifier.builder()
            .setTrustedCertificates(SslContextUtil.loadTrustedCertificates(credentials[4]))
            .build());
    return new DTLSConnector(dtls.build());
  }

  private static Endpoint endpoint(String blockBytes, String credentials) throws Exception {
    String name = blockBytes + " " + credentials;
    Endpoint endpoint = endpoints.get(name);
    if (endpoint == null) {
      Configuration configuration = Configuration.createStandardWithoutFile();
      if (!blockBytes.equals("-")) {
        configuration.set(CoapConfig.PREFERRED_BLOCK_SIZE, Integer.parseInt(blockBytes));
        configuration.set(CoapConfig.MAX_MESSAGE_SIZE, Integer.parseInt(blockBytes));
      }
      CoapEndpoint.Builder builder = CoapEndpoint.builder().setConfiguration(configuration);
      if (!credentials.equals("-")) {
        builder.setConnector(connector(configuration, credentials.split(",")));
      }
      endpoint = builder.build();
      endpoint.start();
      endpoints.put(name, endpoint);
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
          public void onSendError(Throwable error) {
            say(id, error.getMessage());
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
    request.send(endpoint(field[7], field[9]));
  }

  public static void main(String[] arguments) throws Exception {
    CoapConfig.register();
    DtlsConfig.register();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      ask(line);
    }
    System.exit(0);
  }
}
