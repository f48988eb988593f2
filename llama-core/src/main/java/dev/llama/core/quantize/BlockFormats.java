package dev.llama.core.quantize;

import static dev.llama.core.quantize.PlainFormats.getShort;
import static dev.llama.core.quantize.PlainFormats.putShort;

/**
 * Formats with one scale d, and perhaps a minimum m, for 32 elements. The encoders round as ggml's
 * reference does ({@code quantize_row_q4_0_ref} and its siblings), to the bit.
 *
 * <p>With 4 and 5 bits, byte j holds element j in its lower and element j + 16 in its upper half;
 * bit j of a 32-bit word before these bytes is the fifth bit of element j.
 */
final class BlockFormats {
  private static final int SIZE = 32;

  /** d (F16), 32 signed bytes. */
  static final Format Q8_0 = new Signed8();

  /** d (F16), 16 bytes; value d (q - 8). */
  static final Format Q4_0 = new Few(4, false);

  /** d, m (F16), 16 bytes; value d q + m. */
  static final Format Q4_1 = new Few(4, true);

  /** d (F16), fifth bits, 16 bytes; value d (q - 16). */
  static final Format Q5_0 = new Few(5, false);

  /** d, m (F16), fifth bits, 16 bytes; value d q + m. */
  static final Format Q5_1 = new Few(5, true);

  private BlockFormats() {}

  private static final class Signed8 implements Format {
    private static final int BYTES = 34;

    @Override
    public void encode(float[] x, int from, int count, byte[] out, int at) {
      for (int b = 0; b < count / SIZE; b++) {
        block(x, from + b * SIZE, out, at + b * BYTES);
      }
    }

    private static void block(float[] x, int from, byte[] out, int at) {
      float largest = 0;
      for (int j = 0; j < SIZE; j++) {
        largest = Math.max(largest, Math.abs(x[from + j]));
      }
      float d = largest / 127;
      float inverse = d == 0 ? 0 : 1 / d;
      putShort(out, at, Half.fromFloat(d));
      for (int j = 0; j < SIZE; j++) {
        float scaled = x[from + j] * inverse;
        // Halves away from zero, as roundf of C has it.
        int magnitude = (int) (Math.abs(scaled) + 0.5);
        out[at + 2 + j] = (byte) (scaled < 0 ? -magnitude : magnitude);
      }
    }

    @Override
    public void decode(byte[] stored, int at, int count, float[] out, int from) {
      for (int i = 0; i < count; i++) {
        int block = at + i / SIZE * BYTES;
        out[from + i] = Half.toFloat(getShort(stored, block)) * stored[block + 2 + i % SIZE];
      }
    }
  }

  /** 4 or 5 bits, with a minimum or symmetric. */
  private static final class Few implements Format {
    private final int bits;
    private final boolean offset;
    private final int highBits; // where the word of fifth bits begins
    private final int nibbles; // where the bytes of two elements begin
    private final int bytes;

    Few(int bits, boolean offset) {
      this.bits = bits;
      this.offset = offset;
      highBits = offset ? 4 : 2;
      nibbles = highBits + (bits == 5 ? 4 : 0);
      bytes = nibbles + SIZE / 2;
    }

    @Override
    public void encode(float[] x, int from, int count, byte[] out, int at) {
      int[] q = new int[SIZE];
      for (int b = 0; b < count / SIZE; b++) {
        if (offset) {
          offset(x, from + b * SIZE, q, out, at + b * bytes);
        } else {
          symmetric(x, from + b * SIZE, q, out, at + b * bytes);
        }
        pack(q, out, at + b * bytes);
      }
    }

    /** The element of largest magnitude becomes the lowest number, of which there is one more. */
    private void symmetric(float[] x, int from, int[] q, byte[] out, int at) {
      int zero = 1 << bits - 1;
      float extreme = 0;
      for (int j = 0; j < SIZE; j++) {
        extreme = Math.abs(x[from + j]) > Math.abs(extreme) ? x[from + j] : extreme;
      }
      float d = extreme / -zero;
      float inverse = d == 0 ? 0 : 1 / d;
      putShort(out, at, Half.fromFloat(d));
      for (int j = 0; j < SIZE; j++) {
        q[j] = Math.min(2 * zero - 1, (int) (x[from + j] * inverse + (zero + 0.5f)));
      }
    }

    private void offset(float[] x, int from, int[] q, byte[] out, int at) {
      float min = x[from];
      float max = x[from];
      for (int j = 1; j < SIZE; j++) {
        min = x[from + j] < min ? x[from + j] : min;
        max = x[from + j] > max ? x[from + j] : max;
      }
      int most = (1 << bits) - 1;
      float d = (max - min) / most;
      float inverse = d == 0 ? 0 : 1 / d;
      putShort(out, at, Half.fromFloat(d));
      putShort(out, at + 2, Half.fromFloat(min));
      for (int j = 0; j < SIZE; j++) {
        q[j] = Math.min(most, (int) ((x[from + j] - min) * inverse + 0.5f));
      }
    }

    private void pack(int[] q, byte[] out, int at) {
      int high = 0;
      for (int j = 0; j < SIZE / 2; j++) {
        out[at + nibbles + j] = (byte) (q[j] & 15 | (q[j + SIZE / 2] & 15) << 4);
        high |= q[j] >> 4 << j | q[j + SIZE / 2] >> 4 << j + SIZE / 2;
      }
      if (bits == 5) {
        putShort(out, at + highBits, high);
        putShort(out, at + highBits + 2, high >> 16);
      }
    }

    @Override
    public void decode(byte[] stored, int at, int count, float[] out, int from) {
      int zero = offset ? 0 : 1 << bits - 1;
      for (int i = 0; i < count; i++) {
        int block = at + i / SIZE * bytes;
        int j = i % SIZE;
        int q = stored[block + nibbles + j % 16] >> j / 16 * 4 & 15;
        if (bits == 5) {
          q |= (stored[block + highBits + j / 8] >> j % 8 & 1) << 4;
        }
        float value = Half.toFloat(getShort(stored, block)) * (q - zero);
        out[from + i] = offset ? value + Half.toFloat(getShort(stored, block + 2)) : value;
      }
    }
  }
}
