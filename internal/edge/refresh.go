package edge

import (
	"errors"
	"io"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/zone"
)

// refresh has what was served stale asked for anew, while its visitor has the answer already (RFC 5861 §3). It walks the path as the visitor's
// request would, so limits and the origin's budget hold for it. The cache bounds how many there are.
func (p *Path) refresh(z *zone.Zone, f *flow.Flow) {
	b := f.Behind()
	b.Exchange = nobody{}
	go func() {
		defer z.Cache.Refreshed(b)
		defer func() {
			if fault := recover(); fault != nil && p.Fault != nil {
				p.Fault(fault)
			}
		}()
		if z.Cache.Join(b) == cache.Lead {
			lead(z, b)
			drain(b.Message())
		}
		z.Verdict.Settle(b)
		z.Record.AddBehind(b)
	}()
}

// drain takes a message's body to its end, as a client would.
func drain(m *flow.Message) {
	if m == nil {
		return
	}
	m.Repay()
	if m.Stream == nil {
		return
	}
	defer m.Stream.Close()
	for {
		if _, err := m.Stream.Next(); err != nil {
			return
		}
	}
}

// nobody is the client of what no client waits for.
type nobody struct{}

var errNobody = errors.New("nobody is there")

func (nobody) ReadBody([]byte) (int, error)             { return 0, io.EOF }
func (nobody) Arrived() bool                            { return true }
func (nobody) Trailers() []flow.Field                   { return nil }
func (nobody) WriteInfo(int, []flow.Field) error        { return nil }
func (nobody) WriteHead(int, []flow.Field, int64) error { return nil }
func (nobody) WriteBody([]byte, bool) error             { return nil }
func (nobody) WriteLent(_ []byte, loan flow.Loan) error { loan.Return(); return nil }
func (nobody) Finish([]flow.Field) error                { return nil }
func (nobody) Hijack() (flow.Stream, error)             { return nil, errNobody }
