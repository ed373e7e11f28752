// Command cmd is a flood by hand: go run ./test/flood/cmd [FLAG...] KIND ADDRESS:PORT, as flood.Program has it. It sends nothing but in a
// network namespace that was made for it, and to nobody but the networks for tests.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/seawall/seawall/test/flood"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := flood.Program(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}
