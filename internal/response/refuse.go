package response

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/reqid"
)

// unanswered is the refusal of a flow that no room answered or refused: a mistake of ours.
var unanswered = flow.Refusal{Reason: flow.NoReason, Status: http.StatusInternalServerError}

// refuse answers with a page that says why, in a form that the client asked for, under an id that explains itself.
func (p *Policy) refuse(f *flow.Flow, r *flow.Refusal) {
	if r == nil {
		r = &unanswered
	}
	f.Response.Status = r.Status
	switch {
	case r.Reason == flow.ClientGone:
		f.Response.Err = errGone
		return
	case r.Reset != nil:
		f.Response.Err = r.Reset
		return
	}
	page := p.room.pages.page(r, format(f.Request.Fields))
	buffer := p.room.bodies.Get().(*[]byte)
	body := append((*buffer)[:0], page.before...)
	body = p.room.sealer.AppendSealed(body, f.Request.ID, reqid.Evidence{Zone: p.zone, Rule: Hash(r.Rule), Reason: uint8(r.Reason)})
	id := string(body[len(page.before):])
	body = append(body, page.after...)
	f.Response.SealedID = id

	fields := append(f.Response.Fields[:0],
		flow.Field{Name: "Date", Value: p.room.dateAt(f.Request.Received)},
		flow.Field{Name: "Content-Type", Value: page.contentType},
		flow.Field{Name: "Cache-Control", Value: "no-store"},
		flow.Field{Name: "Via", Value: p.room.via},
		flow.Field{Name: "Proxy-Status", Value: page.proxyStatus},
		flow.Field{Name: requestID, Value: id})
	if r.RetryAfter > 0 {
		fields = append(fields, flow.Field{Name: "Retry-After", Value: strconv.FormatInt(seconds(r.RetryAfter), 10)})
	}
	f.Response.Fields = p.strict(fields, f)

	d := delivery{status: r.Status, length: int64(len(body)), body: body}
	f.Response.Err = d.send(f)
	*buffer = body
	p.room.bodies.Put(buffer)
}

// seconds rounds up: a client that comes back too early is refused again.
func seconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d%time.Second > 0 {
		n++
	}
	return n
}
