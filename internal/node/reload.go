package node

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/seawall/seawall/internal/control/cert"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
)

// savedFile is what was in force last, in the data folder.
const savedFile = "last-good.json"

// Reload is how the configuration was last put in force.
type Reload struct {
	Time time.Time `json:"time"`
	// Error tells why nothing of it could be; all is as before then.
	Error string `json:"error,omitempty"`
	// Problems are what of it could not be: each zone that is named keeps its last good form.
	Problems []string `json:"problems,omitempty"`
	// Restart are the keys of the node that have changed and take effect when it starts again.
	Restart []string `json:"restart,omitempty"`
}

// Reloads is the last reload, the start included, and how many there were of either sort.
func (n *Node) Reloads() (last Reload, good, failed int) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	return n.last, n.good, n.failed
}

// Reload reads the node's files again and puts in force what is good in them. A node that was not started from a file has nothing to
// read.
func (n *Node) Reload() Reload {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	if n.after != nil {
		return Reload{Time: time.Now(), Error: errRetired.Error()}
	}
	if n.source == nil {
		return Reload{Time: time.Now(), Error: "this node was not started from a file: there is nothing to read again"}
	}
	wanted, err := n.source.read()
	n.watch()
	if err != nil {
		return n.noted(Reload{Time: time.Now(), Error: err.Error()})
	}
	done := n.apply(wanted)
	n.path.Prefetch()
	return done
}

// apply puts what is wanted in force, as far as that can be done.
func (n *Node) apply(w *wanted) Reload {
	problems := w.problems
	if w.node != nil {
		reloadable(&n.spec, w.node)
		problems = append(problems, n.know(w)...)
	}
	problems = append(problems, w.explain(n.snapshot.Apply(w.zones, w.keep...))...)
	if w.node != nil {
		n.conns.Deny(n.spec.Deny)
		problems = append(problems, n.packets.Configure(&n.spec))
		if n.hello != nil {
			problems = append(problems, n.hello.Configure(&n.spec.TLS)...)
		}
	}
	problems = append(problems, n.certify()...)
	if n.source != nil && n.inherited == nil && (len(problems) == 0 || n.Zones() > 0) { // nothing good is nothing to keep
		problems = append(problems, n.save())
	}
	done := Reload{Time: time.Now(), Restart: w.restart(&n.started)}
	for _, err := range problems {
		if err != nil {
			done.Problems = append(done.Problems, err.Error())
		}
	}
	return n.noted(done)
}

// know puts in force what all zones know of addresses.
func (n *Node) know(w *wanted) []error {
	anew, problems := n.rooms.Verdict.Configure(&n.spec)
	if anew {
		n.snapshot.Outdate()
	}
	n.spec.Rules = n.rooms.Verdict.NodeRules() // not what was refused
	for i, err := range problems {
		if w.file != nil {
			problems[i] = w.file.Explain("", err)
		}
	}
	return problems
}

// reloadable sets those keys of a node that a reload can change to another's; for others, [config.Diff] says that they want a restart.
func reloadable(to, from *spec.Node) {
	to.Certificates, to.ACME, to.Deny = from.Certificates, from.ACME, from.Deny
	interfaces, mode := to.Packets.Interfaces, to.Packets.Mode
	to.Packets = from.Packets
	to.Packets.Interfaces, to.Packets.Mode = interfaces, mode
	to.Lists, to.Geo, to.Crawlers, to.Rules = from.Lists, from.Geo, from.Crawlers, from.Rules
	queue := to.TLS.Handshakes.Queue
	to.TLS = from.TLS
	to.TLS.Handshakes.Queue = queue
}

// noted keeps how a reload went, and says it.
func (n *Node) noted(r Reload) Reload {
	n.last = r
	if r.Error != "" {
		n.failed++
		n.log.Error("configuration refused: everything is as it was", "error", r.Error)
		return r
	}
	if n.good++; len(r.Problems) > 0 {
		n.failed++
	}
	if n.source != nil {
		n.log.Info("configuration in force", "zones", n.Zones(), "problems", len(r.Problems))
	}
	for _, p := range r.Problems {
		n.log.Warn("refused", "error", p)
	}
	if len(r.Restart) > 0 {
		n.log.Warn("changed, and takes effect at the next start", "keys", r.Restart)
	}
	return r
}

// certify gives hello the certificates of the node and its zones, and has those obtained that are missing.
func (n *Node) certify() (problems []error) {
	if n.hello == nil {
		return nil
	}
	certificates := slices.Clip(n.spec.Certificates)
	var names []string
	for _, z := range n.snapshot.Specs() {
		certificates = append(certificates, z.HTTPS.Certificates...)
		if !z.HTTPS.ACME {
			continue
		}
		for _, host := range z.Hosts {
			if cert.Eligible(host) {
				names = append(names, host)
			}
		}
	}
	return append(n.hello.Use(certificates), n.certificates.Manage(n.spec.ACME, names)...)
}

// keep saves what is in force once this process has taken over: until then, that is the other's business.
func (n *Node) keep() {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	n.inherited = nil
	if n.source == nil {
		return
	}
	if err := n.save(); err != nil {
		n.warn("what is in force is not kept", err)
	}
}

// save keeps what is in force for a start without files.
func (n *Node) save() error {
	s := n.started
	reloadable(&s, &n.spec)
	return snapshot.Save(filepath.Join(n.spec.Data, savedFile), &snapshot.Saved{Time: time.Now(), Node: s, Zones: n.snapshot.Specs()})
}

func values(specs []*spec.Zone) []spec.Zone {
	out := make([]spec.Zone, len(specs))
	for i, s := range specs {
		out[i] = *s
	}
	return out
}
