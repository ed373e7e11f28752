package rules_test

import (
	"net/netip"
	"testing"

	"github.com/seawall/seawall/rules"
	"pgregory.net/rapid"
)

func rulesBytes(s string) rules.Value  { return rules.BytesValue(s) }
func rulesInt(n int64) rules.Value     { return rules.IntValue(n) }
func rulesBool(b bool) rules.Value     { return rules.BoolValue(b) }
func rulesIP(a netip.Addr) rules.Value { return rules.IPValue(a) }

// A compiled filter is what its text says, so does a set of it, and Explain comes to the same end.
func TestNaive(t *testing.T) {
	s := scheme(t)
	m := rules.NewMachine(s)
	rapid.Check(t, func(t *rapid.T) {
		var filters []*rules.Filter
		var naive []boolExp
		for range rapid.IntRange(1, 8).Draw(t, "filters") {
			e := genBool(t, 3)
			f, err := rules.Compile(s, e.text)
			if err != nil {
				t.Fatalf("compiling %s: %v", e.text, err)
			}
			filters, naive = append(filters, f), append(naive, e)
		}
		set := rules.NewSet(filters)
		for range 3 {
			v := sampleVisitor(t)
			m.Reset(v.request())
			next := set.Next(m, 0)
			for i, f := range filters {
				want := naive[i].of(v)
				if got := f.Match(m); got != want {
					t.Fatalf("%s of %+v: got %v, want %v", f, v, got, want)
				}
				if e := f.Explain(m); e.Holds != want {
					t.Fatalf("%s of %+v: explained\n%swant %v", f, v, e, want)
				}
				if got := next == i; got != want {
					t.Fatalf("%s of %+v in a set of %v: got %v, want %v", f, v, filters, got, want)
				}
				if want {
					next = set.Next(m, i+1)
				}
			}
			if m.Exceeded() {
				t.Fatal("the arena is too small for small values")
			}
		}
	})
}
