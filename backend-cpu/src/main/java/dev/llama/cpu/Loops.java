package dev.llama.cpu;

/** Loops over arrays that virtual machines do not turn into vector instructions by themselves. */
interface Loops {
  /** Plain Java. */
  Loops PLAIN = (a, aFrom, b, bFrom, count, scratch) -> Vectors.dot(a, aFrom, b, bFrom, count);

  /** Returns the sum of the products of some elements. */
  float dot(float[] a, int aFrom, float[] b, int bFrom, int count, Scratch scratch);
}
