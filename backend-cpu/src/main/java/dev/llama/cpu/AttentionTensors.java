package dev.llama.cpu;

/** What the gradient of attention reads and writes; shapes as in GradOps. */
final class AttentionTensors {
  final CpuTensor q; // [rows, heads * headDim]
  final CpuTensor k; // [rows, keyValueHeads * headDim]
  final CpuTensor v; // [rows, keyValueHeads * headDim]
  final CpuTensor out; // [rows, heads * headDim]
  final CpuTensor lse; // [rows, heads]
  final CpuTensor dOut; // [rows, heads * headDim]
  final CpuTensor dQ; // [rows, heads * headDim], set
  final CpuTensor dK; // [rows, keyValueHeads * headDim], set
  final CpuTensor dV; // [rows, keyValueHeads * headDim], set

  AttentionTensors(
      CpuTensor q,
      CpuTensor k,
      CpuTensor v,
      CpuTensor out,
      CpuTensor lse,
      CpuTensor dOut,
      CpuTensor dQ,
      CpuTensor dK,
      CpuTensor dV) {
    this.q = q;
    this.k = k;
    this.v = v;
    this.out = out;
    this.lse = lse;
    this.dOut = dOut;
    this.dQ = dQ;
    this.dK = dK;
    this.dV = dV;
  }
}
