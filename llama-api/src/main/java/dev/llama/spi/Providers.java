package dev.llama.spi;

import dev.llama.BackendException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.function.Consumer;

/** Finds plug-ins. One provider that cannot be loaded never hides the others. */
public final class Providers {
  private Providers() {}

  /**
   * Finds all providers of a service, by the thread's context class loader and, if that sees none,
   * by the one of this library.
   *
   * @param service one of the interfaces of this package
   * @param broken is told the reason for each provider that is listed but cannot be loaded
   * @param <T> the service
   * @return instances, in the order in which they are listed
   */
  public static <T> List<T> find(Class<T> service, Consumer<Throwable> broken) {
    List<T> found = collect(loader(service), broken);
    return found.isEmpty()
        ? collect(ServiceLoader.load(service, service.getClassLoader()), broken)
        : found;
  }

  /**
   * Returns the one implementation of a service.
   *
   * @param service one of the interfaces of this package
   * @param <T> the service
   * @return the first provider
   * @throws BackendException if there is none
   */
  public static <T> T require(Class<T> service) {
    List<Throwable> failures = new ArrayList<>();
    List<T> found = find(service, failures::add);
    if (found.isEmpty()) {
      BackendException e =
          new BackendException(
              "no implementation of "
                  + service.getName()
                  + " on the class path; add the artifact dev.llama:llama-core"
                  + (failures.isEmpty() ? "" : " (" + failures.get(0).getMessage() + ")"));
      failures.forEach(e::addSuppressed);
      throw e;
    }
    return found.get(0);
  }

  private static <T> ServiceLoader<T> loader(Class<T> service) {
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    return ServiceLoader.load(service, context != null ? context : service.getClassLoader());
  }

  private static <T> List<T> collect(ServiceLoader<T> loader, Consumer<Throwable> broken) {
    List<T> found = new ArrayList<>();
    Iterator<T> providers = loader.iterator();
    // A provider whose class is missing makes hasNext or next throw, once; the iterator then goes
    // on behind it. The bound ends the loop should an implementation keep throwing.
    for (int failures = 0; failures < 100; ) {
      try {
        if (!providers.hasNext()) {
          break;
        }
        found.add(providers.next());
      } catch (ServiceConfigurationError | LinkageError e) {
        failures++;
        broken.accept(e);
      }
    }
    return found;
  }
}
