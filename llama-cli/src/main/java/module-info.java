/** The command line. */
module dev.llama.cli {
  requires dev.llama.api;
  requires dev.llama.core;
  requires info.picocli;
  requires org.slf4j;
  requires me.tongfei.progressbar;
}
