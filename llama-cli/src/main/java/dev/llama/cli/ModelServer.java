package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.llama.FormatException;
import dev.llama.core.catalogue.Catalogue;
import dev.llama.core.catalogue.LayerSpec;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Layer-specs over HTTP: {@code GET /models} lists them, {@code GET /models/ID} returns one. Read
 * only. An id in a request is compared with those of the catalogue and never becomes a path.
 */
final class ModelServer implements AutoCloseable {
  /** Longest id in bytes: no file system has longer names. */
  private static final int MAX_ID_BYTES = 255;

  private static final String MODELS = "/models";

  private final Catalogue catalogue;
  private final Consumer<String> log;
  private final HttpServer server;
  private final RequestThreads threads;

  /**
   * Starts to serve.
   *
   * @param address where; port 0 picks a free one
   * @param log is told what goes wrong on this side
   * @throws IOException if the address cannot be had
   */
  ModelServer(Catalogue catalogue, InetSocketAddress address, Consumer<String> log)
      throws IOException {
    this.catalogue = catalogue;
    this.log = log;
    server = HttpServer.create(address, 0);
    threads = new RequestThreads();
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  /** Where it serves, with the port that was picked. */
  InetSocketAddress address() {
    return server.getAddress();
  }

  /** Lets requests in progress end, for a second. */
  @Override
  public void close() {
    threads.close();
    server.stop(0);
  }

  /** What a request is answered with. */
  private record Response(int status, String json) {
    static Response error(int status, String message) {
      JsonObject json = new JsonObject();
      json.addProperty("error", message);
      return new Response(status, Json.text(json));
    }
  }

  /** A request that is wrong in itself. */
  private static final class BadRequest extends Exception {
    private static final long serialVersionUID = 1L;

    BadRequest(String message) {
      super(message);
    }
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      String method = exchange.getRequestMethod();
      boolean head = method.equals("HEAD");
      Response response;
      if (head || method.equals("GET")) {
        response = answer(exchange.getRequestURI().getRawPath());
      } else {
        exchange.getResponseHeaders().set("Allow", "GET, HEAD");
        response = Response.error(405, "only GET and HEAD are allowed");
      }
      byte[] body = response.json.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
      if (head) {
        exchange.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
        exchange.sendResponseHeaders(response.status, -1);
      } else {
        exchange.sendResponseHeaders(response.status, body.length);
        exchange.getResponseBody().write(body);
      }
    }
  }

  private Response answer(String rawPath) {
    try {
      if (rawPath == null || !rawPath.startsWith(MODELS)) {
        return nothingThere();
      }
      String rest = rawPath.substring(MODELS.length());
      if (rest.isEmpty() || rest.equals("/")) {
        return new Response(200, list());
      }
      if (rest.charAt(0) != '/' || rest.indexOf('/', 1) >= 0) {
        return nothingThere();
      }
      Optional<LayerSpec> model = catalogue.find(id(rest.substring(1)));
      return model
          .map(spec -> new Response(200, spec.toJson()))
          .orElseGet(() -> Response.error(404, "no such model; GET /models lists them"));
    } catch (BadRequest e) {
      return Response.error(400, e.getMessage());
    } catch (FormatException e) {
      log.accept(e.getMessage()); // names the folder, which is nothing for the client
      return Response.error(500, "the catalogue cannot be read");
    }
  }

  private static Response nothingThere() {
    return Response.error(404, "there is nothing here; GET /models lists the models");
  }

  private String list() {
    JsonArray models = new JsonArray();
    for (LayerSpec spec : catalogue.specs()) {
      JsonObject model = new JsonObject();
      model.addProperty("model_id", spec.modelId());
      model.addProperty("hf_model_id", spec.hfModelId());
      model.addProperty("name", spec.name());
      model.addProperty("total_params", spec.totalParams());
      model.addProperty("total_params_formatted", spec.totalParamsFormatted());
      models.add(model);
    }
    JsonObject json = new JsonObject();
    json.add("models", models);
    return Json.text(json);
  }

  /** Decodes a segment of a path: percent signs, then UTF-8, both strictly. */
  private static String id(String raw) throws BadRequest {
    ByteBuffer bytes = ByteBuffer.allocate(MAX_ID_BYTES);
    for (int i = 0; i < raw.length(); ) {
      if (!bytes.hasRemaining()) {
        throw new BadRequest("the model id has more than " + MAX_ID_BYTES + " bytes");
      }
      char c = raw.charAt(i);
      if (c > 0x7E) {
        throw new BadRequest("the path has characters that are not percent-encoded");
      }
      boolean encoded = c == '%';
      int value = encoded ? hexDigit(raw, i + 1) << 4 | hexDigit(raw, i + 2) : c;
      bytes.put((byte) value);
      i += encoded ? 3 : 1;
    }
    String id = utf8(bytes.flip());
    if (id.chars().anyMatch(Character::isISOControl)) {
      throw new BadRequest("the model id has control characters");
    }
    return id;
  }

  private static int hexDigit(String raw, int index) throws BadRequest {
    int digit = index < raw.length() ? Character.digit(raw.charAt(index), 16) : -1;
    if (digit < 0) {
      throw new BadRequest("% in the path is not followed by two hexadecimal digits");
    }
    return digit;
  }

  private static String utf8(ByteBuffer bytes) throws BadRequest {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new BadRequest("the model id is not UTF-8");
    }
  }
}
