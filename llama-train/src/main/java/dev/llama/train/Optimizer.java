package dev.llama.train;

import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.GradOps;
import dev.llama.spi.Tensor;
import dev.llama.train.Parameters.Parameter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** From gradients to new weights. */
final class Optimizer implements AutoCloseable {
  private final Backend backend;
  private final GradOps grad;
  private final List<Parameter> parameters;
  private final AdamW adamW;
  private final Tensor sum; // [1]
  private final Tensor step; // [4]: learning rate, 1 - beta1^t, 1 - beta2^t, clip
  private final ByteBuffer host =
      ByteBuffer.allocateDirect(4 * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);

  Optimizer(Backend backend, GradOps grad, Parameters parameters, AdamW adamW) {
    this.backend = backend;
    this.grad = grad;
    this.parameters = new ArrayList<>(parameters.all());
    this.adamW = adamW;
    sum = backend.allocate(DType.F32, 1);
    step = backend.allocate(DType.F32, 4);
  }

  /** Sets all gradients to 0. */
  void clear(HostCopies copies) {
    for (Parameter parameter : parameters) {
      copies.zero(parameter.gradient());
    }
  }

  /** Euclidean norm of all gradients together. */
  double gradientNorm() {
    backend.write(sum, host.clear().putFloat(0).flip());
    for (Parameter parameter : parameters) {
      grad.sumOfSquares(sum, parameter.gradient());
    }
    backend.read(sum, host.clear());
    return Math.sqrt(host.flip().getFloat());
  }

  /**
   * Changes all weights.
   *
   * @param t number of this update, from 1
   * @param rate learning rate
   * @param clip factor of all gradients
   */
  void update(long t, double rate, double clip) {
    host.clear()
        .putFloat((float) rate)
        .putFloat((float) (1 - Math.pow(adamW.beta1(), t)))
        .putFloat((float) (1 - Math.pow(adamW.beta2(), t)))
        .putFloat((float) clip)
        .flip();
    backend.write(step, host);
    for (Parameter parameter : parameters) {
      grad.adamW(
          parameter.weight(),
          parameter.m(),
          parameter.v(),
          parameter.gradient(),
          step,
          (float) adamW.beta1(),
          (float) adamW.beta2(),
          (float) adamW.eps(),
          parameter.decays() ? (float) adamW.weightDecay() : 0);
    }
  }

  @Override
  public void close() {
    sum.close();
    step.close();
  }
}
