package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// keySchema is what a manual page needs of the JSON Schema of a key.
type keySchema struct {
	Ref         string     `json:"$ref"` // "#/$defs/" and a name
	Description string     `json:"description"`
	Default     any        `json:"default"`
	Enum        []string   `json:"enum"`
	Items       *keySchema `json:"items"`
	Properties  properties `json:"properties"`
}

// properties are the keys of an object in their order.
type properties []property

type property struct {
	Key string
	keySchema
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *properties) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		next := property{Key: fmt.Sprint(key)}
		if err := d.Decode(&next.keySchema); err != nil {
			return err
		}
		*p = append(*p, next)
	}
	return nil
}

// Said is the description, with the values that the key may have and the one that it has if none is given.
func (p *property) Said() string {
	said, words := p.Description, p.Enum
	if p.Items != nil {
		words = p.Items.Enum
	}
	if len(words) > 0 {
		said += " Values: " + strings.TrimPrefix(strings.Join(words, ", "), ", ") + "."
	}
	switch d := p.Default.(type) {
	case nil:
	case []any:
		said += " Default: " + strings.TrimSpace(fmt.Sprintln(d...)) + "."
	default:
		said += fmt.Sprintf(" Default: %v.", d)
	}
	return said
}

// section is the keys of a configuration that stand together.
type section struct {
	Paths []string // where they stand, such as "zones[].origin"; the keys of the top stand nowhere
	Keys  properties
}

// sectionsOf are the sections in the JSON Schema of a configuration, those above first. What zones start from is left out: it has their
// keys.
func sectionsOf(schema []byte) ([]*section, error) {
	var root struct {
		keySchema
		Defs map[string]*keySchema `json:"$defs"`
	}
	if err := json.Unmarshal(schema, &root); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	top := &section{Keys: root.Properties}
	all, known := []*section{top}, map[string]*section{"defaults": {}}
	var visit func(s *section, path string)
	visit = func(s *section, path string) {
		for i, p := range s.Keys {
			at, ref := path+p.Key, p.Ref
			if p.Items != nil {
				at, ref = at+"[]", p.Items.Ref
			}
			name := strings.TrimPrefix(ref, "#/$defs/")
			if root.Defs[name] == nil {
				continue
			}
			if p.Description == "" {
				s.Keys[i].Description = root.Defs[name].Description
			}
			if known[name] == nil {
				known[name] = &section{Keys: root.Defs[name].Properties}
				all = append(all, known[name])
				visit(known[name], at+".")
			}
			known[name].Paths = append(known[name].Paths, at)
		}
	}
	visit(top, "")
	return all, nil
}
