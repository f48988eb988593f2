package dev.llama.core.quantize;

/** Formats that store each element by itself. */
final class PlainFormats {
  /** IEEE binary32. */
  static final Format F32 =
      new Format() {
        @Override
        public void encode(float[] x, int from, int count, byte[] out, int at) {
          for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits(x[from + i]);
            putShort(out, at + 4 * i, bits);
            putShort(out, at + 4 * i + 2, bits >> 16);
          }
        }

        @Override
        public void decode(byte[] stored, int at, int count, float[] out, int from) {
          for (int i = 0; i < count; i++) {
            int low = getShort(stored, at + 4 * i) & 0xffff;
            int high = getShort(stored, at + 4 * i + 2);
            out[from + i] = Float.intBitsToFloat(high << 16 | low);
          }
        }
      };

  /** IEEE binary16. */
  static final Format F16 =
      new Format() {
        @Override
        public void encode(float[] x, int from, int count, byte[] out, int at) {
          for (int i = 0; i < count; i++) {
            putShort(out, at + 2 * i, Half.fromFloat(x[from + i]));
          }
        }

        @Override
        public void decode(byte[] stored, int at, int count, float[] out, int from) {
          for (int i = 0; i < count; i++) {
            out[from + i] = Half.toFloat(getShort(stored, at + 2 * i));
          }
        }
      };

  /** The upper half of a binary32. */
  static final Format BF16 =
      new Format() {
        @Override
        public void encode(float[] x, int from, int count, byte[] out, int at) {
          for (int i = 0; i < count; i++) {
            putShort(out, at + 2 * i, Half.toBf16(x[from + i]));
          }
        }

        @Override
        public void decode(byte[] stored, int at, int count, float[] out, int from) {
          for (int i = 0; i < count; i++) {
            out[from + i] = Float.intBitsToFloat(getShort(stored, at + 2 * i) << 16);
          }
        }
      };

  private PlainFormats() {}

  static short getShort(byte[] stored, int at) {
    return (short) ((stored[at] & 0xff) | stored[at + 1] << 8);
  }

  static void putShort(byte[] out, int at, int value) {
    out[at] = (byte) value;
    out[at + 1] = (byte) (value >> 8);
  }
}
