package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.llama.ModelConfig;
import dev.llama.core.catalogue.Catalogue;
import dev.llama.core.catalogue.LayerSpec;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Over a real socket: what it serves, and what it does not. */
class ModelServerTest {
  private static final String ID = "meta-llama_Llama-3.2-1B";
  private static final String SECRET = "what nobody may see";

  @TempDir Path parent;
  private Path folder;
  private LayerSpec spec;
  private ModelServer server;
  private final List<String> log = new ArrayList<>();

  @BeforeEach
  void start() throws IOException {
    folder = Files.createDirectory(parent.resolve("models"));
    spec =
        LayerSpec.of(ModelConfig.preset("llama-3.2-1b"), "meta-llama/Llama-3.2-1B", "Llama 3.2 1B");
    spec.write(folder.resolve(ID + ".json"));
    Files.writeString(parent.resolve("secret.json"), "{\"secret\": \"" + SECRET + "\"}");
    Files.writeString(folder.resolve("notes.txt"), SECRET);
    Files.writeString(folder.resolve(".hidden.json"), SECRET);
    server =
        new ModelServer(
            Catalogue.open(folder),
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            log::add);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  /** A response in parts; the names of headers in lower case. */
  private record Response(int statusCode, Map<String, String> headers, String body) {
    static Response of(String text) {
      int end = text.indexOf("\r\n\r\n");
      String[] lines = text.substring(0, end).split("\r\n");
      Map<String, String> headers = new HashMap<>();
      for (String line : List.of(lines).subList(1, lines.length)) {
        int colon = line.indexOf(':');
        headers.put(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 2));
      }
      int statusCode = Integer.parseInt(lines[0].split(" ")[1]);
      return new Response(statusCode, headers, text.substring(end + 4));
    }
  }

  private Response send(String method, String path) throws IOException {
    return Response.of(raw(method, path));
  }

  /** Sends bytes as they are, and returns everything that comes back. */
  private String raw(byte[] request) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port())) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(request);
      socket.getOutputStream().flush();
      socket.shutdownOutput();
      InputStream in = socket.getInputStream();
      return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
    }
  }

  private String raw(String path) throws IOException {
    return raw("GET", path);
  }

  private String raw(String method, String path) throws IOException {
    String request = method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    return raw(request.getBytes(StandardCharsets.ISO_8859_1));
  }

  private int port() {
    return server.address().getPort();
  }

  private static JsonObject json(Response response) {
    return JsonParser.parseString(response.body()).getAsJsonObject();
  }

  @Test
  void listsTheModels() throws Exception {
    Response response = send("GET", "/models");
    assertEquals(200, response.statusCode());
    assertEquals("application/json", response.headers().get("content-type"));
    JsonObject model = json(response).getAsJsonArray("models").get(0).getAsJsonObject();
    assertEquals(ID, model.get("model_id").getAsString());
    assertEquals("meta-llama/Llama-3.2-1B", model.get("hf_model_id").getAsString());
    assertEquals(1235814400, model.get("total_params").getAsLong());
    assertEquals(1, json(response).getAsJsonArray("models").size());
    assertEquals(response.body(), send("GET", "/models/").body());
  }

  @Test
  void returnsOneModel() throws Exception {
    Response response = send("GET", "/models/" + ID);
    assertEquals(200, response.statusCode());
    assertEquals(spec.toJson(), response.body());
    assertEquals(response.body(), send("GET", "/models/meta%2Dllama_Llama-3%2e2-1B").body());
  }

  @Test
  void seesWhatChanges() throws Exception {
    LayerSpec other = LayerSpec.of(ModelConfig.preset("llama-2-7b"), "a/b", "b");
    other.write(folder.resolve("a_b.json"));
    assertEquals(other.toJson(), send("GET", "/models/a_b").body());
    Files.delete(folder.resolve("a_b.json"));
    assertEquals(404, send("GET", "/models/a_b").statusCode());
  }

  @Test
  void headIsGetWithoutABody() throws Exception {
    Response head = send("HEAD", "/models/" + ID);
    assertEquals(200, head.statusCode());
    assertEquals("", head.body());
    assertEquals(
        Integer.toString(spec.toJson().getBytes(StandardCharsets.UTF_8).length),
        head.headers().get("content-length"));
    assertEquals(404, send("HEAD", "/models/none").statusCode());
  }

  @ParameterizedTest
  @ValueSource(strings = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"})
  void otherMethodsAreRefused(String method) throws Exception {
    Response response = send(method, "/models/" + ID);
    assertEquals(405, response.statusCode());
    assertEquals("GET, HEAD", response.headers().get("allow"));
    assertTrue(json(response).has("error"));
    assertTrue(Files.exists(folder.resolve(ID + ".json")));
  }

  @ParameterizedTest
  @CsvSource({
    "/, 404",
    "/modelsx, 404",
    "/models/none, 404",
    "/models/notes.txt, 404",
    "/models/.hidden, 404",
    "/models/meta-llama_Llama-3.2-1B.json, 404",
    "/models/../secret, 404",
    "/models/../secret.json, 404",
    "/models/..%2Fsecret, 404",
    "/models/%2e%2e/secret, 404",
    "/models/%2e%2e%2fsecret, 404",
    "/models/%252e%252e%252fsecret, 404",
    "/models/..%5csecret, 404",
    "/models//etc/passwd, 404",
    "/models/%2Fetc%2Fpasswd, 404",
    "/models/a/b, 404",
    "/models/%00, 400",
    "/models/meta-llama_Llama-3.2-1B%00.json, 400",
    "/models/%0d%0aSet-Cookie:x, 400",
    "/models/%ff%fe, 400",
    "/models/%c0%ae%c0%ae%c0%afsecret, 400",
    "/models/%zz, 400",
    "/models/%, 400",
    "/models/%4, 400",
    "http://x/models/none, 404",
    "*, 404",
  })
  void hostilePathsSeeNothing(String path, String status) throws Exception {
    String response = raw(path);
    assertTrue(response.matches("(?s)HTTP/1.1 (" + status + ") .*"), response);
    assertFalse(response.contains(SECRET), response);
    assertEquals(200, send("GET", "/models").statusCode());
  }

  @Test
  void longIdsAreRefused() throws Exception {
    assertTrue(raw("/models/" + "a".repeat(255)).startsWith("HTTP/1.1 404"));
    assertTrue(raw("/models/" + "a".repeat(256)).startsWith("HTTP/1.1 400"));
    assertTrue(raw("/models/" + "%61".repeat(10_000)).startsWith("HTTP/1.1 400"));
  }

  @Test
  void whatIsNoHttpHurtsNobody() throws Exception {
    raw(new byte[] {0, 1, 2, (byte) 0xFF, '\r', '\n', '\r', '\n'});
    raw("mailto:x");
    raw("GET /models/\u0000\u00ff\ud83d");
    raw("\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    assertEquals(200, send("GET", "/models").statusCode());
  }

  /** Connections that send nothing, or half a request, hold up no other. */
  @Test
  void slowClientsHoldUpNobody() throws Exception {
    List<Socket> slow = new ArrayList<>();
    try {
      for (int i = 0; i < 20; i++) {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port());
        socket.getOutputStream().write("GET /models HT".getBytes(StandardCharsets.US_ASCII));
        slow.add(socket);
      }
      assertEquals(200, send("GET", "/models").statusCode());
    } finally {
      for (Socket socket : slow) {
        socket.close();
      }
    }
  }

  @Test
  void aFolderThatIsGoneIsAnErrorOfTheServer() throws Exception {
    Files.walk(folder)
        .sorted(java.util.Comparator.reverseOrder())
        .forEach(f -> f.toFile().delete());
    Response response = send("GET", "/models");
    assertEquals(500, response.statusCode());
    assertFalse(response.body().contains(folder.toString()), response.body());
    assertTrue(log.get(0).contains(folder.toString()), log.toString());
  }

  @Test
  void aPortInUseIsOneLine() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = Integer.toString(taken.getLocalPort());
      Cli run = Cli.real("serve-models", folder.toString(), "--port", port);
      assertEquals(1, run.exitCode());
      assertTrue(run.err().startsWith("llama: cannot listen at 127.0.0.1 port " + port), run.err());
      assertEquals(1, run.err().lines().count(), run.err());
      assertEquals("", run.out());
    }
  }

  @Test
  void wrongOptionsAreNamed() {
    Cli noFolder = Cli.real("serve-models", parent.resolve("none").toString(), "--port", "0");
    assertEquals(1, noFolder.exitCode());
    assertTrue(noFolder.err().contains("none"), noFolder.err());
    assertEquals(2, Cli.real("serve-models", folder.toString()).exitCode());
    Cli port = Cli.real("serve-models", folder.toString(), "--port", "70000");
    assertEquals(2, port.exitCode());
    assertTrue(port.err().contains("expected 0 to 65535"), port.err());
    Cli host = Cli.real("serve-models", folder.toString(), "--port", "0", "--host", "no such");
    assertEquals(1, host.exitCode());
    assertEquals("llama: there is no address no such to listen at\n", host.err());
  }
}
