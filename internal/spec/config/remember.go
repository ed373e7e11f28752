package config

import (
	"slices"

	"github.com/seawall/seawall/internal/spec"
)

// listKey tells a list, or a crawler's ranges, from all others: zone is its zone's name, "" for the node's.
type listKey struct{ zone, name string }

// Zones' names have no spaces.
const (
	ofDefaults = "the defaults"
	ofCrawlers = "the crawlers"
	ofKeys     = "the crawlers' keys"
)

// Remember has lists that can't be read any more be as they were in these, until they can.
func (l *Loader) Remember(n *spec.Node, zones []spec.Zone) {
	l.files, l.good = nil, make(map[listKey]string)
	l.remember(n, zones)
	for name, text := range inherited(zones) {
		l.good[listKey{ofDefaults, name}] = text
	}
}

// inherited are the lists that zones may have from the defaults: those of one name that are the same wherever they are.
func inherited(zones []spec.Zone) map[string]string {
	lists, differ := make(map[string]string), make(map[string]bool)
	for i := range zones {
		for _, named := range zones[i].Lists.Named {
			text, known := lists[named.Name]
			differ[named.Name] = differ[named.Name] || known && text != string(named.File)
			lists[named.Name] = string(named.File)
		}
	}
	for name, differs := range differ {
		if differs {
			delete(lists, name)
		}
	}
	return lists
}

func (l *Loader) remember(n *spec.Node, zones []spec.Zone) {
	for i := range n.Lists {
		l.good[listKey{name: n.Lists[i].Name}] = string(n.Lists[i].File)
	}
	for i := range n.Crawlers.Known {
		l.good[listKey{ofCrawlers, n.Crawlers.Known[i].Name}] = string(n.Crawlers.Known[i].Ranges)
		l.good[listKey{ofKeys, n.Crawlers.Known[i].Name}] = string(n.Crawlers.Known[i].Keys)
	}
	for i := range zones {
		l.rememberLists(zones[i].Name, zones[i].Lists.Named)
	}
}

func (l *Loader) rememberLists(zone string, lists []spec.List) {
	for i := range lists {
		l.good[listKey{zone, lists[i].Name}] = string(lists[i].File)
	}
}

// learn remembers what was read. Of what was refused it keeps what it knew.
func (l *Loader) learn(c *Config) {
	before := l.good
	l.good = make(map[listKey]string)
	for key, text := range before {
		node := key.zone == "" || key.zone == ofCrawlers || key.zone == ofKeys
		if node && c.NodeProblem != nil || slices.ContainsFunc(c.Refused, func(r Refused) bool { return r.Zone == key.zone }) {
			l.good[key] = text
		}
	}
	n := &c.Node
	if c.NodeProblem != nil {
		n = new(spec.Node)
	}
	l.remember(n, c.Zones)
	l.rememberLists(ofDefaults, l.defaults.Lists.Named)
}
