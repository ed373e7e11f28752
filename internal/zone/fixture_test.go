package zone

import (
	"log/slog"
	"testing"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
	"github.com/seawall/seawall/reqid"
)

// newRooms are the rooms of a small node.
func newRooms(t *testing.T) *Rooms {
	t.Helper()
	n := spec.DefaultNode()
	n.Cache, n.Log.Ring = spec.Memory{Size: 1 << 20, Object: 1 << 18}, 1
	records, err := record.New(&n, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cache.New(&n)
	if err != nil {
		t.Fatal(err)
	}
	return &Rooms{
		Verdict: verdict.New(&n), Cache: objects, Admission: admission.New(&n), Origin: origin.New(&n),
		Response: response.New(&n, reqid.NewSealer([32]byte{})), Record: records,
	}
}
