package nft

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// looseBefore begins the name of a chain that does nothing but to remember what the sysctl was.
const looseBefore = "loose_was_"

// loose is whether connection tracking takes what it has not seen the beginning of for a connection. It is one for all tables of a network
// namespace: each that wants it to be 0 remembers what it was, and the last one restores that.
const loose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"

// looseOf is what chains remember of the sysctl.
func looseOf(chains []string) (before string, ok bool) {
	for _, name := range chains {
		if before, ok := strings.CutPrefix(name, looseBefore); ok {
			return before, true
		}
	}
	return "", false
}

// beStrict has connection tracking take nothing for a connection whose beginning it has not seen.
func (f *Filter) beStrict() error {
	own, others, err := f.chains()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(loose)
	if err != nil {
		return err
	}
	before := strings.TrimSpace(string(text))
	if before == "0" {
		first, changed := looseOf(others)
		if _, known := looseOf(own); known || !changed {
			return nil
		}
		before = first
	}
	if _, err := strconv.Atoi(before); err != nil {
		return fmt.Errorf("%s: %w", loose, err)
	}
	f.chain(looseBefore + before)
	if err := f.conn.Flush(); err != nil {
		return err
	}
	return writeLoose("0")
}

func writeLoose(value string) error { return os.WriteFile(loose, []byte(value), 0o644) }
