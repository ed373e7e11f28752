package verdict

import (
	"net/netip"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// allow spares a request every further check.
func (p *Policy) allow(f *flow.Flow) {
	p.counts.add(listsAllow, f.Conn.Shard)
	f.Verdict.Action, f.Verdict.Rule = flow.Allow, listsAllow.String()
}

// deny refuses a client that is on the deny list with prefix, or in a dry run says that it would have.
func (p *Policy) deny(f *flow.Flow, prefix netip.Prefix, name string) {
	if p.dry {
		p.spare(f, listsDeny)
		return
	}
	detail := append(prefix.AppendTo(make([]byte, 0, 96)), " is on the deny list"...)
	if name != "" {
		detail = append(append(detail, ", by $"...), name...)
	}
	p.refuse(f, listsDeny, &flow.Refusal{Reason: flow.Denied, Status: 403, Detail: string(detail)})
}

// limit refuses a source that is over a limit, or in a dry run says that it would have.
func (p *Policy) limit(f *flow.Flow, by rule, reason flow.Reason, detail string, wait time.Duration) {
	if p.dry {
		p.spare(f, by)
		return
	}
	p.refuse(f, by, &flow.Refusal{Reason: reason, Status: 429, Detail: detail, RetryAfter: wait})
}

// spare notes that a rule in a dry run would have refused.
func (p *Policy) spare(f *flow.Flow, by rule) {
	p.counts.add(by, f.Conn.Shard)
	f.Verdict.Dry = append(f.Verdict.Dry, by.String())
}

func (p *Policy) refuse(f *flow.Flow, by rule, r *flow.Refusal) {
	p.counts.add(by, f.Conn.Shard)
	r.Rule = by.String()
	f.Verdict.Action, f.Verdict.Rule, f.Verdict.Refusal = flow.Block, r.Rule, r
}
