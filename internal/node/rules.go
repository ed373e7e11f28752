package node

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/rules"
	"github.com/seawall/seawall/internal/zone"
)

// Rule is a rule in force and what it has matched since the node first knew it.
type Rule struct {
	Zone       string `json:"zone"`                 // "*" for the node's own rules
	Rule       string `json:"rule"`                 // with its phase; the zone's own lists, limits and redirect have their keys
	Action     string `json:"action,omitempty"`     // none for the zone's own
	Expression string `json:"expression,omitempty"` // its beginning
	Matches    uint64 `json:"matches"`
	// Undone is until when it only notes what it would have refused; nil if it is not undone.
	Undone  *time.Time   `json:"undone,omitempty"`
	Samples []RuleSample `json:"samples,omitempty"`
}

// RuleSample is one of the latest requests that a rule matched: whom it hurt or, in a dry run, would have.
type RuleSample struct {
	Time     time.Time  `json:"time"`
	ID       string     `json:"id"`
	Client   netip.Addr `json:"client"`
	Method   string     `json:"method"`
	Host     string     `json:"host"`
	Path     string     `json:"path"`
	Agent    string     `json:"agent"`
	Evidence string     `json:"evidence"` // what each part of the expression was
}

// Rules are those of zones, in the order in which requests meet them.
type Rules []Rule

// rulesOf lists the rules of a zone, "" for all, "*" for the node's own.
func (n *Node) rulesOf(of string, samples bool) Rules {
	list := Rules{}
	undone := make(map[[2]string]*time.Time)
	for _, e := range n.rooms.Verdict.Exceptions.List() {
		undone[[2]string{e.Zone, e.Rule}] = &e.Until
	}
	add := func(zone string, counts []rules.Count) {
		for _, c := range counts {
			r := Rule{Zone: zone, Rule: c.Rule, Action: string(c.Action), Expression: c.Expression, Matches: c.Matches}
			if samples {
				r.Samples = sampled(c.Samples())
			}
			list = append(list, r)
		}
	}
	if of == "" || of == spec.AllZones {
		add(spec.AllZones, n.rooms.Verdict.Rules())
	}
	n.snapshot.Each(func(z *zone.Zone) {
		if z.Name() == snapshot.Unserved || of != "" && z.Name() != of {
			return
		}
		for _, c := range z.Verdict.Counts() {
			list = append(list, Rule{Zone: z.Name(), Rule: c.Rule, Matches: c.Matches})
		}
		add(z.Name(), z.Verdict.Rules())
	})
	for i := range list {
		list[i].Undone = undone[[2]string{list[i].Zone, list[i].Rule}]
	}
	slices.SortStableFunc(list, func(a, b Rule) int { return cmp.Compare(a.Zone, b.Zone) })
	return list
}

func sampled(kept []rules.Sample) (samples []RuleSample) {
	for _, s := range slices.Backward(kept) { // the latest first
		samples = append(samples, RuleSample{s.Time.UTC(), s.ID.String(), s.Client, s.Method, s.Host, s.Path, s.Agent, s.Evidence})
	}
	return samples
}

// serveRules lists the rules of a zone, with samples if they are asked for.
func (n *Node) serveRules(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	samples, err := strconv.ParseBool(cmp.Or(query.Get("samples"), "false"))
	if err != nil {
		http.Error(w, fmt.Sprintf("samples is %q: want true or false", query.Get("samples")), http.StatusBadRequest)
		return
	}
	of := query.Get("zone")
	if of != "" && of != spec.AllZones {
		if _, err := n.onlyZone(of); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
	answer(w, http.StatusOK, n.rulesOf(of, samples))
}

// ListRules asks the node that runs on this machine for the rules of a zone, "" for all; for admin see [Explain].
func ListRules(ctx context.Context, data, admin, of string, samples bool) (Rules, error) {
	query := url.Values{"zone": {of}, "samples": {strconv.FormatBool(samples)}}
	return askFor[Rules](ctx, http.MethodGet, data, admin, "/api/rules?"+query.Encode(), nil)
}

// Write tells them to a person, in columns.
func (l Rules) Write(w io.Writer) error {
	zones, names, actions := 0, 0, 0
	for i := range l {
		zones, names, actions = max(zones, len(l[i].Zone)), max(names, len(l[i].Rule)), max(actions, len(l[i].Action))
	}
	var b strings.Builder
	for i := range l {
		r := &l[i]
		fmt.Fprintf(&b, "%-*s  %-*s  %-*s  %8d  %s", zones, r.Zone, names, r.Rule, actions, cmp.Or(r.Action, "-"), r.Matches, record.Printable(r.Expression))
		if r.Undone != nil {
			fmt.Fprintf(&b, " (undone until %s)", day(*r.Undone))
		}
		b.WriteByte('\n')
		for j := range r.Samples {
			r.Samples[j].write(&b)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *RuleSample) write(b *strings.Builder) {
	fmt.Fprintf(b, "    %s %v %s by %s (%s)\n", day(s.Time), s.Client, record.Printable(s.Method+" "+s.Host+s.Path),
		cmp.Or(record.Printable(s.Agent), "nothing"), s.ID)
	for line := range strings.Lines(s.Evidence) {
		fmt.Fprintf(b, "        %s\n", record.Printable(strings.TrimSuffix(line, "\n")))
	}
}
