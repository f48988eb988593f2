package dev.llama.cpu;

import dev.llama.BackendException;
import java.lang.reflect.InvocationTargetException;
import java.util.Optional;

/**
 * Finds the parts that use the Vector API. It is an incubating module of the JDK, which a program
 * has only if it is started with {@code --add-modules jdk.incubator.vector}; so nothing but their
 * names refers to these parts.
 */
final class VectorTier {
  private static final String MODULE = "jdk.incubator.vector";
  private static final String CURE = "start Java with --add-modules " + MODULE;

  private VectorTier() {}

  /** Returns why the parts cannot be used, and the cure; empty if they can. */
  static Optional<String> missing() {
    try {
      loops();
      return Optional.empty();
    } catch (BackendException e) {
      return Optional.of(e.getMessage());
    }
  }

  /** Returns what multiplies matrices. */
  static MatrixProduct product(WorkerPool pool) {
    return (MatrixProduct)
        create("dev.llama.cpu.VectorMatrixProduct", new Class<?>[] {WorkerPool.class}, pool);
  }

  /** Returns the loops of attention. */
  static Loops loops() {
    return (Loops) create("dev.llama.cpu.VectorLoops", new Class<?>[0]);
  }

  private static Object create(String name, Class<?>[] types, Object... arguments) {
    Module module =
        ModuleLayer.boot()
            .findModule(MODULE)
            .orElseThrow(() -> new BackendException("the Vector API is not there; " + CURE));
    // What the descriptor cannot say: a module that need not be there when this one is compiled.
    VectorTier.class.getModule().addReads(module);
    try {
      return Class.forName(name).getDeclaredConstructor(types).newInstance(arguments);
    } catch (InvocationTargetException | LinkageError e) {
      Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
      throw new BackendException("the Vector API of this JDK is another one: " + cause, cause);
    } catch (ReflectiveOperationException e) {
      throw new BackendException(name + " is not in this build of backend-cpu: " + e, e);
    }
  }
}
