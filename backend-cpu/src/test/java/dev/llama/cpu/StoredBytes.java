package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A tensor in a direct buffer, as a file would hand it over. */
record StoredBytes(String name, DType type, long[] shape, ByteBuffer content)
    implements TensorData {
  @Override
  public long byteSize() {
    return content.limit();
  }

  @Override
  public ByteBuffer bytes(long offset, int length) {
    return content
        .slice(Math.toIntExact(offset), length)
        .asReadOnlyBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
