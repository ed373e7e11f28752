package flood

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Program is a flood as a program of its own, to be started in a namespace of folder lab's:
//
//	-list
//	-interface NAME -from MAC -to MAC [-sources PREFIX,...] [-vlan ID,...] [-seed N] [-rate N] [-n N] [-for TIME] KIND ADDRESS:PORT
//
// It writes what was [Sent] as a line of JSON. With -list it writes what floods there are, a line each.
func Program(ctx context.Context, w io.Writer, args []string) error {
	flags := flag.NewFlagSet("flood", flag.ContinueOnError)
	var plan Plan
	var link Link
	listing := flags.Bool("list", false, "list the floods")
	flags.StringVar(&link.Interface, "interface", "", "the `name` of the interface to send on")
	flags.Func("from", "the interface's hardware `address`", hardware(&link.From))
	flags.Func("to", "the hardware `address` of who is attacked, or routes there", hardware(&link.To))
	flags.Func("sources", "`prefixes` of spoofed sources, with commas between them", each(&plan.Sources, netip.ParsePrefix))
	flags.Func("vlan", "`IDs` of VLAN tags, the outer one first", each(&plan.VLAN, vlan))
	flags.Uint64Var(&plan.Seed, "seed", 0, "`number` that all that is drawn comes from")
	flags.IntVar(&plan.Rate, "rate", 0, "`packets` a second; 0 for as fast as it goes")
	flags.IntVar(&plan.Packets, "n", 0, "`packets` at the most")
	flags.DurationVar(&plan.Lasting, "for", 0, "how long at the most")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listing {
		for _, k := range Kinds() {
			fmt.Fprintf(w, "%-16s %s\n", k.Name, k.About)
		}
		return nil
	}
	if flags.NArg() != 2 {
		return errors.New("want a kind and an address with a port")
	}
	plan.Kind = flags.Arg(0)
	var err error
	if plan.Target, err = netip.ParseAddrPort(flags.Arg(1)); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	sent, err := Send(ctx, link, plan)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(sent)
}

// Args are those with which [Program] sends a plan.
func Args(link Link, plan Plan) []string {
	args := []string{
		"-interface", link.Interface, "-from", link.From.String(), "-to", link.To.String(), "-seed", strconv.FormatUint(plan.Seed, 10),
		"-rate", strconv.Itoa(plan.Rate), "-n", strconv.Itoa(plan.Packets), "-for", plan.Lasting.String(),
	}
	if len(plan.Sources) > 0 {
		args = append(args, "-sources", list(plan.Sources))
	}
	if len(plan.VLAN) > 0 {
		args = append(args, "-vlan", list(plan.VLAN))
	}
	return append(args, plan.Kind, plan.Target.String())
}

func list[T any](values []T) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, fmt.Sprint(v))
	}
	return strings.Join(texts, ",")
}

func hardware(to *net.HardwareAddr) func(string) error {
	return func(s string) (err error) {
		*to, err = net.ParseMAC(s)
		return err
	}
}

func each[T any](to *[]T, parse func(string) (T, error)) func(string) error {
	return func(list string) error {
		for s := range strings.SplitSeq(list, ",") {
			v, err := parse(s)
			if err != nil {
				return err
			}
			*to = append(*to, v)
		}
		return nil
	}
}

func vlan(s string) (uint16, error) {
	id, err := strconv.ParseUint(s, 10, 12)
	return uint16(id), err
}
