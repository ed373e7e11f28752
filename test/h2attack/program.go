package h2attack

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Program is an attacker as a program of its own, which a play or the bench gives less of the processor than others:
//
//	-list
//	[-tls] [-host HOST] [-small PATH] [-large PATH] [-sink PATH] [-from ADDRESS [-sources N]] [-for TIME] [-grace TIME] [-n N] ADDRESS NAME...
//
// It plays the attacks of these names one after the other, and writes the [Result] of each as a line of JSON. With -list it writes
// what attacks there are, an [Attack] a line.
func Program(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("h2attack", flag.ContinueOnError)
	var t Target
	var from string
	var b Bounds
	list := flags.Bool("list", false, "list the attacks")
	flags.BoolVar(&t.TLS, "tls", false, "speak TLS")
	flags.StringVar(&t.Host, "host", "", "the `name` to ask for; the address if empty")
	flags.StringVar(&t.Small, "small", "/", "`path` of something small")
	flags.StringVar(&t.Large, "large", "/", "`path` of something large")
	flags.StringVar(&t.Sink, "sink", "/", "`path` that reads a body to its end")
	flags.StringVar(&from, "from", "", "`address` that the connections come from")
	flags.IntVar(&t.Sources, "sources", 1, "how many addresses they come from, in as many networks")
	flags.DurationVar(&b.Lasting, "for", time.Second, "how long each attack goes on")
	flags.DurationVar(&b.Grace, "grace", 0, "how long the target lets a client stand still")
	flags.IntVar(&b.Connections, "n", 200, "connections that an attack may open")
	if err := flags.Parse(args); err != nil {
		return err
	}
	out := json.NewEncoder(w)
	if *list {
		for _, a := range Attacks() {
			if err := out.Encode(a); err != nil {
				return err
			}
		}
		return nil
	}
	if flags.NArg() < 2 {
		return errors.New("want an address and the names of attacks")
	}
	t.Address = flags.Arg(0)
	if from != "" {
		var err error
		if t.From, err = netip.ParseAddr(from); err != nil {
			return fmt.Errorf("-from: %w", err)
		}
	}
	for _, name := range flags.Args()[1:] {
		a, ok := Find(name)
		if !ok {
			return fmt.Errorf("no attack is called %q", name)
		}
		r, err := Run(ctx, t, a, b)
		if err == nil {
			err = out.Encode(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
