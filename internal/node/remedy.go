package node

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/spec"
)

// Remedy is how the rule that refused a request stands now, and what undoes it.
type Remedy struct {
	// Rule refused; its Matches are those until now.
	Rule *Rule `json:"rule"`
	// Ends is when a limit lets its source on if that keeps still; nil for what stands as long as the rule does.
	Ends *time.Time `json:"ends,omitempty"`
	// Undo are commands of which each lets such requests through for an hour.
	Undo []string `json:"undo"`
}

// remedy finds what undoes the refusal of an explanation, by the entry, or by the sealed hash of the rule's name. It is nil if no rule of the
// zone's, or of the node's own, refused that is still in force.
func (n *Node) remedy(x *Explanation, sealed uint32) *Remedy {
	of := func(r Rule) bool { return response.Hash(r.Rule) == sealed }
	if x.Entry != nil {
		of = func(r Rule) bool { return r.Rule == x.Entry.RefusalRule }
	}
	if x.Zone == "" {
		return nil
	}
	all := append(n.rulesOf(x.Zone, false), n.rulesOf(spec.AllZones, false)...)
	at := slices.IndexFunc(all, of)
	if at < 0 {
		return nil
	}
	in := " --zone " + word(all[at].Zone)
	m := &Remedy{Rule: &all[at], Undo: []string{"seawall undo --rule " + word(all[at].Rule) + in + " --for 1h"}}
	if e := x.Entry; e != nil {
		if e.RetryAfterMs > 0 {
			ends := e.Time.Add(time.Duration(math.Ceil(e.RetryAfterMs)) * time.Millisecond)
			m.Ends = &ends
		}
		if all[at].Zone == spec.AllZones { // as all addresses are excepted from the node's rules
			in = ""
		}
		command := "seawall undo --address " + e.Client + in + " --for 1h"
		if strings.Contains(e.Client, "/") {
			command += " # the log knows its network only; its address will do, too"
		}
		m.Undo = append(m.Undo, command)
	}
	return m
}

// word makes a text one word for a shell.
func word(text string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.:/", r))
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// lines tell it to a person.
func (m *Remedy) lines() (lines []line) {
	if m == nil {
		return nil
	}
	text := fmt.Sprintf("has matched %d requests since the node started", m.Rule.Matches)
	if m.Rule.Undone != nil {
		text += "; it is undone until " + day(*m.Rule.Undone)
	}
	lines = append(lines, line{"rule", text})
	if m.Ends != nil {
		lines = append(lines, line{"ends", day(*m.Ends) + ", if the source sends nothing until then"})
	}
	label := "undo"
	for _, command := range m.Undo {
		lines = append(lines, line{label, command})
		label = ""
	}
	return lines
}

// line is one of a story's.
type line struct{ label, text string }
