package dev.llama.cli;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * Lets the first Ctrl-C run an action; the second one kills, as always.
 *
 * <p>A shutdown hook cannot do this: once it runs, the exit code is settled and a second Ctrl-C
 * only waits for the first. {@code sun.misc.Signal} is the JDK's one way to handle signals; it is
 * called by reflection because javac warns about it in a way that cannot be turned off. Where it is
 * missing, Ctrl-C kills at once.
 */
final class Interrupt {
  private final Method handle;
  private final Object signal;
  private final Object kill;
  private final Object ignore;
  private final Class<?> handlerType;

  private Interrupt() throws ReflectiveOperationException {
    handlerType = Class.forName("sun.misc.SignalHandler");
    Class<?> signalType = Class.forName("sun.misc.Signal");
    handle = signalType.getMethod("handle", signalType, handlerType);
    signal = signalType.getConstructor(String.class).newInstance("INT");
    kill = handlerType.getField("SIG_DFL").get(null);
    ignore = handlerType.getField("SIG_IGN").get(null);
  }

  /**
   * Does some work, on this thread.
   *
   * @param action what the first Ctrl-C does meanwhile, on another thread
   * @param work ends soon after the action
   */
  static void run(Runnable action, Runnable work) {
    Interrupt interrupt;
    Object previous;
    try {
      interrupt = new Interrupt();
      previous = interrupt.install(interrupt.handler(action));
      if (previous == interrupt.ignore) {
        interrupt.install(previous); // started in the background: it is meant for somebody else
      }
    } catch (ReflectiveOperationException e) {
      work.run();
      return;
    }
    try {
      work.run();
    } finally {
      try {
        interrupt.install(previous);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("the handler of Ctrl-C cannot be put back", e);
      }
    }
  }

  private Object install(Object handler) throws ReflectiveOperationException {
    return handle.invoke(null, signal, handler);
  }

  private Object handler(Runnable action) {
    return Proxy.newProxyInstance(
        Interrupt.class.getClassLoader(),
        new Class<?>[] {handlerType},
        (proxy, method, arguments) -> {
          if (!method.getName().equals("handle")) {
            return objectMethod(proxy, method, arguments);
          }
          install(kill);
          action.run();
          return null;
        });
  }

  private static Object objectMethod(Object proxy, Method method, Object[] arguments) {
    return switch (method.getName()) {
      case "equals" -> proxy == arguments[0];
      case "hashCode" -> System.identityHashCode(proxy);
      default -> "first Ctrl-C";
    };
  }
}
