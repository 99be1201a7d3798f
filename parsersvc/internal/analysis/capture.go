//go:build cgo

package analysis

import (
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// role is what a capture means. Captures that begin with an underscore are for predicates only.
type role uint8

const (
	roleNone role = iota
	// roleDefinition is a whole definition; the rest of its capture's name is the kind.
	roleDefinition
	// roleName is the name of a definition, roleParameters its list of parameters, roleBody where its signature ends,
	// roleContainer the type it belongs to when that does not enclose it.
	roleName
	roleParameters
	roleBody
	roleContainer
	// roleElsewhere is a definition that counts only where no other has its name.
	roleElsewhere
	// roleFunction is a function without a name of its own, captured with its parameters and body; roleValue is one that
	// a definition names, roleWrappedValue one that something else is made of, which takes other arguments.
	roleFunction
	roleValue
	roleWrappedValue
	// roleConstructor is the name of a function that makes objects; roleConstructorHere lies inside such a function;
	// roleConstructorNamed is the name of one that its name says to be such, unless the file has roleMarkup.
	roleConstructor
	roleConstructorHere
	roleConstructorNamed
	roleMarkup
	// roleParameter and the following are one parameter, captured with its list or, alone, with its definition.
	// An unnamed one has no single name (a pattern) or none at all.
	roleParameter
	roleParameterUnnamed
	roleOptional
	roleOptionalUnnamed
	roleVariadic
	roleVariadicUnnamed
	roleReceiverParameter
	// roleWrapped is a definition, roleWrapper what belongs to it around it; roleDecorator stands in front of it.
	roleWrapped
	roleWrapper
	roleDecorator
	// roleExported and rolePrivate are definitions, roleExportedName and rolePrivateName the name of one.
	roleExported
	roleExportedName
	rolePrivate
	rolePrivateName
	// roleSectionPrivate and roleSectionExported stand in a type; what follows in it is that.
	roleSectionPrivate
	roleSectionExported
	roleTest
	// roleComment may be a definition's doc comment; roleDoc is the docstring of the definition roleDocumented.
	roleComment
	roleDoc
	roleDocumented
	// roleImport is an import, the others are parts of it.
	roleImport
	roleImportModule
	roleImportAlias
	roleImportDefault
	roleImportName
	roleImportNameAlias
	// roleCall, roleType, roleInherit and roleRead are names used; roleReceiver is what stands before the dot,
	// roleArguments the list of a call, roleNoArguments a call that has none, roleSpread a list whose length is not known.
	roleCall
	roleType
	roleInherit
	roleRead
	roleReceiver
	roleArguments
	roleNoArguments
	roleSpread
	// roleLocal is a name that the enclosing definition makes for itself; roleIgnore is a name that is no use.
	roleLocal
	roleIgnore
	// roleStatement is a statement of roleBlock.
	roleStatement
	roleBlock
)

// vocabulary is every capture's name but the definitions'.
func vocabulary() map[string]role {
	return map[string]role{
		"name": roleName, "parameters": roleParameters, "body": roleBody, "container": roleContainer,
		"elsewhere": roleElsewhere,
		"function":  roleFunction, "value": roleValue, "value.wrapped": roleWrappedValue,
		"constructor": roleConstructor, "constructor.here": roleConstructorHere,
		"constructor.named": roleConstructorNamed, "markup": roleMarkup,
		"parameter": roleParameter, "parameter.unnamed": roleParameterUnnamed,
		"parameter.optional": roleOptional, "parameter.optional.unnamed": roleOptionalUnnamed,
		"parameter.variadic": roleVariadic, "parameter.variadic.unnamed": roleVariadicUnnamed,
		"parameter.receiver": roleReceiverParameter,
		"wrapped":            roleWrapped, "wrapper": roleWrapper, "decorator": roleDecorator,
		"exported": roleExported, "exported.name": roleExportedName,
		"private": rolePrivate, "private.name": rolePrivateName,
		"section.private": roleSectionPrivate, "section.exported": roleSectionExported, "test": roleTest,
		"comment": roleComment, "doc": roleDoc, "documented": roleDocumented,
		"import": roleImport, "import.module": roleImportModule, "import.alias": roleImportAlias,
		"import.default": roleImportDefault, "import.name": roleImportName, "import.name.alias": roleImportNameAlias,
		"call": roleCall, "type": roleType, "inherit": roleInherit, "read": roleRead,
		"receiver": roleReceiver, "arguments": roleArguments, "arguments.none": roleNoArguments, "spread": roleSpread,
		"local": roleLocal, "ignore": roleIgnore, "statement": roleStatement, "block": roleBlock,
	}
}

// meaning is a role, and the kind if it is a definition's.
type meaning struct {
	role role
	kind syntax.Kind
}

// meaningOf reads a capture's name.
func meaningOf(name string) (meaning, error) {
	if strings.HasPrefix(name, "_") {
		return meaning{}, nil
	}
	if kind, ok := strings.CutPrefix(name, "definition."); ok {
		switch k := syntax.Kind(kind); k {
		case syntax.Function, syntax.Method, syntax.Class, syntax.Struct, syntax.Interface, syntax.Enum, syntax.Type,
			syntax.Constant, syntax.Variable, syntax.Field, syntax.Module:
			return meaning{roleDefinition, k}, nil
		default:
			return meaning{}, fmt.Errorf("no kind of definition %q", kind)
		}
	}
	r, ok := vocabulary()[name]
	if !ok {
		return meaning{}, fmt.Errorf("no meaning for capture @%s", name)
	}
	return meaning{role: r}, nil
}
