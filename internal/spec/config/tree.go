package config

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds how deep lists and mappings may lie in each other; a zone needs 6.
const maxDepth = 64

// kind is what a node of YAML is.
type kind uint8

const (
	null kind = iota
	text
	number
	boolean
	list
	mapping
	broken // text says why
)

// String is what messages call it.
func (k kind) String() string {
	return [...]string{"nothing", "text", "a number", "true or false", "a list", "keys with values", "something broken"}[k]
}

// node is a part of a file. What an alias stands for is not copied, so a file's nodes are no more than its tokens.
type node struct {
	kind    kind
	text    string // of what is neither list nor mapping
	line    int
	items   []*node // of a list
	entries []entry // of a mapping, in the file's order
}

// entry is a key with its value.
type entry struct {
	key   string
	line  int
	value *node
	merge bool // key is "<<": the value's entries stand here, unless they are overridden
}

// parse reads one document of YAML. The parser's panics, of which it has had some, are syntax errors; it can't take what is nested too
// deep, so that is found out before.
func parse(file, yamlText string) (root *node, problem *Problem) {
	defer func() {
		if p := recover(); p != nil {
			problem = &Problem{File: file, Text: fmt.Sprintf("is no YAML that can be read: %v", p)}
		}
	}()
	if !utf8.ValidString(yamlText) {
		return nil, &Problem{File: file, Text: "is no YAML: it is not in UTF-8"}
	}
	tokens := lexer.Tokenize(yamlText)
	if line := tooDeep(tokens); line > 0 {
		return nil, &Problem{File: file, Line: line, Text: fmt.Sprintf("is nested more than %d deep", maxDepth)}
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntax(file, err)
	}
	b := builder{anchors: make(map[string]*node)}
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			return nil, &Problem{File: file, Line: lineOf(d.Body), Text: "has a second document: want one, without ---"}
		}
		root = b.node(d.Body)
	}
	switch {
	case root == nil || root.kind == null:
		return nil, &Problem{File: file, Text: "is empty"}
	case root.kind == broken:
		return nil, &Problem{File: file, Line: root.line, Text: root.text}
	}
	return root, nil
}

// syntax makes a parser's error a problem.
func syntax(file string, err error) *Problem {
	p := &Problem{File: file, Text: err.Error()}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		p.Text = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	p.Text = "is no YAML: " + p.Text
	return p
}

// tooDeep returns the line in which lists and mappings are nested too deep, 0 if they are nowhere.
func tooDeep(tokens token.Tokens) int {
	var block []int // columns of the block collections around a token
	flow := 0
	for _, t := range tokens {
		column := 0
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			column = t.Position.Column
		case token.MappingValueType:
			if column = t.Position.Column; t.Prev != nil {
				column = t.Prev.Position.Column
			}
		}
		if column > 0 && flow == 0 {
			at := len(block)
			for at > 0 && block[at-1] >= column {
				at--
			}
			block = append(block[:at], column)
		}
		if len(block)+flow > maxDepth {
			return t.Position.Line
		}
	}
	return 0
}

// builder makes nodes of the parser's tree.
type builder struct {
	anchors map[string]*node
	merged  int // entries, counted each time
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func (b *builder) node(from ast.Node) *node {
	if from == nil {
		return &node{}
	}
	n := &node{line: lineOf(from)}
	switch from := from.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		n.kind, n.text = text, from.Value
	case *ast.LiteralNode:
		n.kind, n.text = text, from.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text = number, from.GetToken().Value
	case *ast.BoolNode:
		n.kind, n.text = boolean, from.GetToken().Value
	case *ast.SequenceNode:
		n.kind = list
		n.items = make([]*node, 0, len(from.Values))
		for _, v := range from.Values {
			n.items = append(n.items, b.node(v))
		}
	case *ast.MappingNode:
		b.mapping(n, from.Values)
	case *ast.MappingValueNode:
		b.mapping(n, []*ast.MappingValueNode{from})
	case *ast.AnchorNode:
		n = b.node(from.Value)
		b.anchors[from.Name.GetToken().Value] = n
	case *ast.AliasNode:
		name := from.Value.GetToken().Value
		if anchor := b.anchors[name]; anchor != nil {
			return anchor
		}
		return failed(n.line, "%s is an alias without an anchor: if it is meant as it stands, put it in quotes", clip("*"+name))
	case *ast.TagNode:
		return failed(n.line, "tag %s has no meaning here: leave it out", clip(from.GetToken().Value))
	default:
		return failed(n.line, "%v has no meaning here", from.Type())
	}
	return n
}

// failed is a broken node, which is a problem only to who wants its value.
func failed(line int, format string, args ...any) *node {
	return &node{kind: broken, line: line, text: fmt.Sprintf(format, args...)}
}

func (b *builder) mapping(n *node, values []*ast.MappingValueNode) {
	n.kind = mapping
	n.entries = make([]entry, 0, len(values))
	merges := false
	for _, v := range values {
		e := entry{line: lineOf(v.Key)}
		switch key := v.Key.(type) {
		case *ast.StringNode:
			e.key = key.Value
		case *ast.MergeKeyNode:
			e.key, e.merge, merges = "<<", true, true
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			e.key = key.GetToken().Value
		default:
			e.key = "?"
		}
		if e.value = b.node(v.Value); e.key == "?" {
			e.value = failed(e.line, "is no plain key")
		}
		n.entries = append(n.entries, e)
	}
	if merges {
		b.merge(n)
	}
}

// merge puts the entries of what is merged in its place, without those that n has itself or from what was merged before.
func (b *builder) merge(n *node) {
	has := make(map[string]bool)
	for _, e := range n.entries {
		has[e.key] = true
	}
	var whole []entry
	for _, e := range n.entries {
		if !e.merge {
			whole = append(whole, e)
			continue
		}
		from := e.value.items
		if e.value.kind != list {
			from = []*node{e.value}
		}
		for _, m := range from {
			if b.merged += 1 + len(m.entries); m.kind != mapping || b.merged > maxValues {
				e.value = failed(e.line, "merges %v: want an alias of keys with values, at most %d of them in all", m.kind, maxValues)
				n.entries = append(whole, e)
				return
			}
			for _, merged := range m.entries {
				if !has[merged.key] {
					has[merged.key] = true
					whole = append(whole, merged)
				}
			}
		}
	}
	n.entries = whole
}
