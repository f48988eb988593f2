package dev.llama.tests;

import static com.tngtech.archunit.lang.conditions.ArchConditions.have;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noFields;
import static com.tngtech.archunit.library.GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.GeneralCodingRules.NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.core.importer.Locations;
import dev.llama.LlamaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who may depend on whom, and what a library must not do. */
class ArchitectureTest {
  private static final String API = "dev.llama";
  private static final String SPI = "dev.llama.spi";
  private static final String[] LIBRARIES = {
    API,
    SPI,
    "dev.llama.core..",
    "dev.llama.train..",
    "dev.llama.cpu..",
    "dev.llama.cuda..",
    "dev.llama.tiktoken..",
    "dev.llama.sentencepiece.."
  };

  /** Not on the class path of these tests. */
  static final Path COMMAND_LINE =
      Path.of(System.getProperty("basedir", "."), "..", "llama-cli", "target", "classes");

  private static JavaClasses shipped;
  private static JavaClasses libraries;

  @BeforeAll
  static void importClasses() {
    Set<Location> locations = new HashSet<>(Locations.ofPackage("dev.llama"));
    locations.add(Location.of(COMMAND_LINE));
    shipped =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("tests.jar"))
            .importLocations(locations);
    libraries =
        shipped.that(
            DescribedPredicate.describe(
                "in libraries", c -> !c.getPackageName().startsWith("dev.llama.cli")));
  }

  @ParameterizedTest
  @CsvSource({
    "dev.llama, dev.llama.spi",
    "dev.llama.spi, dev.llama.spi",
    "dev.llama.core.., org.slf4j..|com.google.gson..",
    "dev.llama.train.., dev.llama.core..|org.slf4j..",
    "dev.llama.cpu.., org.slf4j..|org.bytedeco..|jdk.incubator.vector",
    "dev.llama.cuda.., org.slf4j..|com.sun.jna..",
    "dev.llama.tiktoken.., org.slf4j..",
    "dev.llama.sentencepiece.., org.slf4j..",
    "dev.llama.cli.., dev.llama.core.catalogue|dev.llama.core.plan|dev.llama.core.quantize"
        + "|dev.llama.train..|org.slf4j..|com.google.gson..|picocli..|me.tongfei.progressbar.."
        + "|com.sun.net.httpserver"
  })
  void modulesSeeTheApiAndWhatIsListed(String module, String others) {
    List<String> seen = new ArrayList<>(List.of("java..", "sun.misc", API, SPI, module));
    seen.addAll(List.of(others.split("\\|")));
    classes()
        .that()
        .resideInAPackage(module)
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(seen.toArray(new String[0]))
        .check(shipped);
  }

  /** What makes the naive backend a proof that llama-api is enough to write one. */
  @Test
  void theNaiveBackendSeesTheApiAlone() {
    JavaClasses naive =
        new ClassFileImporter()
            .importPackages("dev.llama.naive")
            .that(
                DescribedPredicate.describe(
                    "the backend", c -> !c.getName().matches(".*Test(\\$.*)?")));
    assertFalse(naive.isEmpty());
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("java..", API, SPI, "dev.llama.naive")
        .check(naive);
  }

  @Test
  void partsOfTheCoreHaveNoCycles() {
    slices().matching("dev.llama.core.(*)..").should().beFreeOfCycles().check(shipped);
  }

  @Test
  void librariesPrintNothing() {
    NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS.check(libraries);
    NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING.check(shipped);
  }

  @Test
  void librariesLeaveTheProcessAlone() {
    noClasses()
        .should()
        .callMethod(System.class, "setProperty", String.class, String.class)
        .orShould()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethod(Runtime.class, "addShutdownHook", Thread.class)
        .orShould()
        .callMethod(Runtime.class, "halt", int.class)
        .orShould()
        .callMethod(java.util.Locale.class, "setDefault", java.util.Locale.class)
        .orShould()
        .callMethod(
            Thread.class,
            "setDefaultUncaughtExceptionHandler",
            Thread.UncaughtExceptionHandler.class)
        .check(libraries);
  }

  @Test
  void librariesUseNoNetwork() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("java.net.Socket")
        .orShould()
        .dependOnClassesThat()
        .haveFullyQualifiedName("java.net.URLConnection")
        .orShould()
        .dependOnClassesThat()
        .resideInAPackage("java.net.http..")
        .check(libraries);
  }

  @Test
  void librariesHaveNoStaticState() {
    fields()
        .that()
        .areStatic()
        .and()
        .areDeclaredInClassesThat()
        .resideInAnyPackage(LIBRARIES)
        .and(
            DescribedPredicate.describe(
                "written in the source", f -> !f.getModifiers().contains(JavaModifier.SYNTHETIC)))
        .should()
        .beFinal()
        .check(libraries);
    noFields()
        .that()
        .areStatic()
        .should()
        .haveRawType(holdsState())
        .orShould(
            have(
                DescribedPredicate.describe(
                    "a modifiable collection", ArchitectureTest::isModifiableCollection)))
        .check(libraries);
  }

  private static DescribedPredicate<JavaClass> holdsState() {
    return DescribedPredicate.describe(
        "holds state",
        type ->
            type.isAssignableTo(ThreadLocal.class)
                || type.isAssignableTo(AtomicInteger.class)
                || type.isAssignableTo(AtomicLong.class)
                || type.isAssignableTo(AtomicReference.class)
                || type.isAssignableTo(StringBuilder.class)
                || type.isAssignableTo(Thread.class));
  }

  /** Constants are declared as List, Set or Map and made by List.of and its like. */
  private static boolean isModifiableCollection(JavaField field) {
    JavaClass type = field.getRawType();
    return (type.isAssignableTo(Collection.class) || type.isAssignableTo(Map.class))
        && !type.isInterface();
  }

  /** The API finds what implements it by ServiceLoader, never by a name. */
  @Test
  void theApiNamesNoImplementation() {
    noClasses()
        .that()
        .resideInAnyPackage(API, SPI)
        .should()
        .callMethod(Class.class, "forName", String.class)
        .orShould()
        .callMethod(ClassLoader.class, "loadClass", String.class)
        .check(shipped);
  }

  /** What callers can catch is in the API. */
  @Test
  void exceptionsAreThoseOfTheApi() {
    classes()
        .that()
        .areAssignableTo(Throwable.class)
        .and()
        .arePublic()
        .should()
        .beAssignableTo(LlamaException.class)
        .andShould()
        .resideInAPackage(API)
        .check(libraries);
  }
}
