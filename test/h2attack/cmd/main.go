// Command cmd is the attacker by hand: go run ./test/h2attack/cmd [FLAG...] ADDRESS NAME..., as h2attack.Program has it. It attacks
// nothing but the loopback and the networks for tests.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/seawall/seawall/test/h2attack"
)

func main() {
	if err := h2attack.Program(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "h2attack:", err)
		os.Exit(1)
	}
}
