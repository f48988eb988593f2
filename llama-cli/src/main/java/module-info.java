/** The command line: the one place where the modules are put together. */
module dev.llama.cli {
  requires dev.llama.api;
  requires dev.llama.core;
  requires dev.llama.train;
  requires com.google.gson;
  requires info.picocli;
  requires jdk.httpserver;
  requires jdk.unsupported; // sun.misc.Signal, by reflection: Ctrl-C ends a generation, not the JVM
  requires me.tongfei.progressbar;

  // picocli fills the fields of commands by reflection.
  opens dev.llama.cli to
      info.picocli;
}
