package dev.llama.train.samples;

import java.util.Locale;

/**
 * Sequences of nucleotides with a structure that a model can learn: families of repeats that occur
 * again and again with some mutations, on either strand; short tandem repeats; genes of codons
 * between a start and a stop, behind a motif; and a background in which every letter depends on the
 * two before it. Drawn at random, with no likeness to any genome. As in published genomes, repeats
 * are in lower case. Immutable; safe for use by many threads at once.
 */
public final class Nucleotides {
  private static final String LETTERS = "ACGT";
  private static final String MOTIF = "GCTATAAAAG"; // much as promoters have it
  private static final int FAMILIES = 4;
  private static final int CODONS = 8; // of 61; genes prefer some
  private static final double MUTATION = 0.02;

  private final long seed;
  private final String[] families = new String[FAMILIES];
  private final String[] codons = new String[CODONS];
  private final double[][] background = new double[16][4]; // cumulative, by the last two letters

  /**
   * Creates a collection; its repeats, codons and background depend on the seed.
   *
   * @param seed the same seed gives the same sequences
   */
  public Nucleotides(long seed) {
    this.seed = seed;
    Chance chance = new Chance(seed, -1);
    for (int c = 0; c < CODONS; c++) {
      do {
        codons[c] = uniform(3, chance);
      } while (isStop(codons[c]));
    }
    for (double[] row : background) {
      double sum = 0;
      for (int letter = 0; letter < 4; letter++) {
        double weight = chance.fraction();
        sum += weight * weight * weight * weight; // uneven: there is something to learn
        row[letter] = sum;
      }
      for (int letter = 0; letter < 4; letter++) {
        row[letter] /= sum;
      }
    }
    for (int f = 0; f < FAMILIES; f++) {
      StringBuilder family = new StringBuilder();
      appendBackground(family, 60 + chance.below(61), chance);
      families[f] = family.toString();
    }
  }

  /**
   * Returns a sequence.
   *
   * @param number any number from 0 on: each has a sequence of its own
   * @param length number of letters, at least 1
   * @return A, C, G and T, and a, c, g and t in repeats
   */
  public String sequence(long number, int length) {
    Chance chance = new Chance(seed, number);
    StringBuilder sequence = new StringBuilder(length + 512);
    while (sequence.length() < length) {
      int kind = chance.below(10);
      if (kind < 3) {
        String copy = mutated(families[chance.below(FAMILIES)], chance);
        sequence.append(
            (chance.below(4) == 0 ? reverseComplement(copy) : copy).toLowerCase(Locale.ROOT));
      } else if (kind < 4) {
        String unit = uniform(2 + chance.below(4), chance);
        sequence.append(unit.repeat(8 + chance.below(16)).toLowerCase(Locale.ROOT));
      } else if (kind < 6) {
        appendGene(sequence, chance);
      } else {
        appendBackground(sequence, 60 + chance.below(120), chance);
      }
    }
    return sequence.substring(0, length);
  }

  private void appendGene(StringBuilder sequence, Chance chance) {
    sequence.append(MOTIF);
    appendBackground(sequence, 5 + chance.below(10), chance);
    sequence.append("ATG");
    for (int n = 20 + chance.below(40); n > 0; n--) {
      // The lower of two draws: the first codons are the frequent ones.
      sequence.append(codons[Math.min(chance.below(CODONS), chance.below(CODONS))]);
    }
    sequence.append("TAA");
  }

  private void appendBackground(StringBuilder sequence, int count, Chance chance) {
    for (int n = 0; n < count; n++) {
      int context = 0;
      for (int back = 2; back >= 1; back--) {
        int at = sequence.length() - back;
        char letter = at < 0 ? 'A' : Character.toUpperCase(sequence.charAt(at));
        context = context * 4 + LETTERS.indexOf(letter);
      }
      double draw = chance.fraction();
      int letter = 0;
      while (letter < 3 && draw >= background[context][letter]) {
        letter++;
      }
      sequence.append(LETTERS.charAt(letter));
    }
  }

  private static String mutated(String original, Chance chance) {
    StringBuilder copy = new StringBuilder(original);
    for (int i = 0; i < copy.length(); i++) {
      if (chance.fraction() < MUTATION) {
        copy.setCharAt(i, LETTERS.charAt(chance.below(4)));
      }
    }
    return copy.toString();
  }

  private static String uniform(int length, Chance chance) {
    StringBuilder letters = new StringBuilder(length);
    for (int i = 0; i < length; i++) {
      letters.append(LETTERS.charAt(chance.below(4)));
    }
    return letters.toString();
  }

  private static boolean isStop(String codon) {
    return codon.equals("TAA") || codon.equals("TAG") || codon.equals("TGA");
  }

  private static String reverseComplement(String strand) {
    StringBuilder other = new StringBuilder(strand.length());
    for (int i = strand.length() - 1; i >= 0; i--) {
      other.append(LETTERS.charAt(3 - LETTERS.indexOf(strand.charAt(i))));
    }
    return other.toString();
  }
}
