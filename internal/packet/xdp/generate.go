package xdp

//go:generate go tool -modfile=../../../tools/go.mod bpf2go -go-package xdp -cc clang-14 -strip llvm-strip-14 -target bpfel -type reason -type feature -type policy -type listener -type place -type signatures -type signature -type term -type cells -type sample filter bpf/filter.bpf.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror
