package record

import (
	"encoding/binary"
	"log/slog"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/reqid"
)

var t0 = time.Date(2026, 11, 22, 21, 22, 28, 123e6, time.UTC)

// fingerprint is that of hit's client.
const fingerprint = "t13d1516h2_8daaf6152771_e5627efa2ab1"

// zone is a flow.Zone that is nothing but its name.
type zone string

func (z zone) Name() string { return string(z) }

// idOf makes the n-th of some ids.
func idOf(n uint32) (id reqid.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(t0.UnixMilli())<<16|7)
	binary.BigEndian.PutUint32(id[8:], n)
	return id
}

// refused is a flow that was refused by the verdict.
func refused(r *flow.Refusal) *flow.Flow {
	f := hit()
	f.Cache = flow.Cache{}
	f.Verdict = flow.Verdict{Action: flow.Block, Rule: r.Rule, Refusal: r}
	f.Response.Status = r.Status
	return f
}

// newRoom makes a room with 64 KiB a ring; edit may change the node.
func newRoom(t testing.TB, edit func(*spec.Node)) *Room {
	t.Helper()
	node := spec.DefaultNode()
	node.Log.Ring = 0
	if edit != nil {
		edit(&node)
	}
	r, err := New(&node, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func policy(t testing.TB, r *Room, name string) *Policy {
	t.Helper()
	p, err := r.Compile(&spec.Zone{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
