# What to compile, and how for each instruction set; for build.sh and test.sh.

kernels="product quantized many amx attention rows grad_product grad_attention grad_rows"

flags="-std=gnu11 -O3 -ffreestanding -fvisibility=hidden -fno-stack-protector
  -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-math-errno
  -ffp-contract=fast"

: "${X86_64_CC:=x86_64-linux-gnu-gcc}" "${AARCH64_CC:=aarch64-linux-gnu-gcc}"
: "${MINGW_CC:=x86_64-w64-mingw32-gcc}"

avx2="-mavx2 -mfma -mf16c -mtune=haswell -fcf-protection=none"
avx512="$avx2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mtune=icelake-server"
avx512vnni="$avx512 -mavx512vnni"
amx="$avx512vnni -mgfni -mavx512vbmi -mavx512bf16 -mamx-tile -mamx-bf16"
neon="-march=armv8-a -mno-outline-atomics"
dotprod="-march=armv8.2-a+dotprod -mno-outline-atomics"
# The stack of Windows is aligned to 16 bytes, and this compiler aligns it no further.
windows="-Wa,-muse-unaligned-vector-move"
