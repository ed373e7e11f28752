package contrast

import (
	"bytes"
	"strings"
	"testing"
)

// TestSave: a baseline that has loaded what another saved says the same, and learns on.
func TestSave(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	minutes(b, 12, 600, func(i int) uint32 { return uint32(i) })
	var file bytes.Buffer
	if err := b.Save(&file); err != nil {
		t.Fatal(err)
	}
	text := file.Bytes()
	next := one(t, Memory{Rows: 8192})
	minutes(next, 3, 600, func(int) uint32 { return 7_000 })
	if err := next.Load(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []uint32{0, 5, 599, 600, 7_000} {
		c := Conjunction{{0, []Span{{v, v}}}}
		share, bound := b.Profile().False(c)
		if s, most := next.Profile().False(c); s != share || most != bound {
			t.Errorf("value %d: got %g and %g after loading, want %g and %g", v, s, most, share, bound)
		}
	}
	if got, want := next.Profile().Rate(), b.Profile().Rate(); got != want {
		t.Errorf("got a rate of %g after loading, want %g", got, want)
	}
	minutes(next, 3, 600, func(int) uint32 { return 7_000 })
	if share, _ := next.Profile().False(Conjunction{{0, []Span{{7_000, 7_000}}}}); share == 0 {
		t.Error("learnt nothing after loading")
	}
	smaller := one(t, Memory{Rows: 64})
	if err := smaller.Load(bytes.NewReader(text)); err != nil || smaller.Profile().Rows() > 64 {
		t.Errorf("got %d rows, %v, in a memory of 64", smaller.Profile().Rows(), err)
	}
}

// TestLoadRefuses: what is no baseline of these features changes nothing.
func TestLoadRefuses(t *testing.T) {
	b := one(t, Memory{Rows: 8192})
	minutes(b, 12, 600, func(i int) uint32 { return uint32(i) })
	var file bytes.Buffer
	if err := b.Save(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.String()
	other, err := NewBaseline(Schema{{Name: "other"}}, Memory{})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Load(strings.NewReader(whole)); err == nil {
		t.Error("got no error for other features")
	}
	rows := b.Profile().Rows()
	for _, text := range []string{"", "no baseline", whole[:len(whole)/2]} {
		if err := b.Load(strings.NewReader(text)); err == nil {
			t.Errorf("got no error for %d bytes", len(text))
		}
	}
	if got := b.Profile().Rows(); got != rows {
		t.Errorf("got %d rows after errors, want %d", got, rows)
	}
}
