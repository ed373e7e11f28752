package replay

import (
	"hash/maphash"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// side is a set of rules at work, and what they have done.
type side struct {
	rules   *Rules
	flow    flow.Flow
	conn    flow.Conn
	now     time.Time
	seed    maphash.Seed
	samples int // that are kept of each rule

	refused *tally
	byRule  map[string]*tally
	actions map[string]string
}

// tally counts requests.
type tally struct {
	requests int
	clients  *distinct
	kinds    [kinds]int
	samples  []Sample
}

func newTally(seed maphash.Seed) *tally { return &tally{clients: newDistinct(seed)} }

func newSide(r *Rules, seed maphash.Seed, samples int) *side {
	s := &side{rules: r, seed: seed, samples: samples, refused: newTally(seed), byRule: make(map[string]*tally), actions: make(map[string]string)}
	for _, phase := range r.zone.Rules.Phases() {
		for i := range *phase.Rules {
			rule := &(*phase.Rules)[i]
			s.actions[phase.Phase+"/"+rule.Name] = string(rule.Action)
		}
	}
	return s
}

// request is one that is replayed.
type request struct {
	line   *Line
	number int // of the line
	asked  *flow.Request
	kind   Kind
	client string // tells it from others
}

// judge judges a request, and tells whether it is refused.
func (s *side) judge(r *request) bool {
	f := &s.flow
	s.now = r.asked.Received
	*f = flow.Flow{Conn: &s.conn, Clock: &s.now, Request: *r.asked}
	f.Request.Locator = s.rules.room
	p := s.rules.policy
	p.Judge(f)
	if f.Verdict.Refusal == nil && f.Verdict.Answer == nil && r.line.toOrigin(f.Effective(), &s.rules.zone) {
		p.JudgeBody(f)
		if f.Verdict.Refusal == nil {
			f.Origin.Attempts, f.Origin.Status = 1, r.line.Status
		}
	}
	if f.Verdict.Refusal == nil && f.Verdict.Answer == nil {
		f.Origin.Message = r.line.respond()
		p.JudgeResponse(f)
		f.Response.Status, f.Response.Bytes = r.line.Status, r.line.Bytes
	} else if f.Verdict.Refusal != nil {
		f.Response.Status = f.Verdict.Refusal.Status
	} else {
		f.Response.Status = f.Verdict.Answer.Status
	}
	f.Response.Done = s.now
	p.Settle(f)
	s.note(r)
	return f.Verdict.Refusal != nil
}

// note counts what the rules have said.
func (s *side) note(r *request) {
	v := &s.flow.Verdict
	detail := ""
	if v.Refusal != nil {
		detail = v.Refusal.Detail
		s.refused.add(r, "", 0)
	}
	if v.Rule != "" {
		s.of(v.Rule).add(r, detail, s.samples)
	}
	for _, rule := range v.Dry {
		s.of(rule).add(r, "", s.samples)
	}
}

func (s *side) of(rule string) *tally {
	t := s.byRule[rule]
	if t == nil {
		t = newTally(s.seed)
		s.byRule[rule] = t
	}
	return t
}

// add counts a request, and keeps it as a sample if there is room.
func (t *tally) add(r *request, why string, samples int) {
	t.requests++
	t.kinds[r.kind]++
	t.clients.add(r.client)
	if len(t.samples) < samples {
		t.samples = append(t.samples, r.sample(why))
	}
}

// The bounds of a sample's texts, in bytes.
const (
	maxSampled = 200
	maxWhy     = 600
)

// sample is a copy of what tells a request from others.
func (r *request) sample(why string) Sample {
	return Sample{
		Line: r.number, Time: r.line.Time, Client: clipped(r.line.Client, maxSampled), Kind: r.kind, Method: clipped(r.line.Method, maxSampled),
		Host: clipped(r.asked.Host, maxSampled), Target: clipped(r.line.Target, maxSampled), Status: r.line.Status, Agent: clipped(r.line.Agent, maxSampled), Why: clipped(why, maxWhy),
	}
}

// clipped is a copy of a text's beginning, which pins nothing of the line.
func clipped(s string, most int) string {
	if len(s) <= most {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
