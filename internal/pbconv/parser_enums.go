package pbconv

import (
	"math"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

func clampInt32(n int) int32 { return int32(min(max(int64(n), math.MinInt32), math.MaxInt32)) }

// FileStatusToProto converts how far an analysis came.
func FileStatusToProto(s syntax.Status) parserv1.FileStatus {
	switch s {
	case syntax.StatusOK:
		return parserv1.FileStatus_FILE_STATUS_OK
	case syntax.StatusUnsupported:
		return parserv1.FileStatus_FILE_STATUS_UNSUPPORTED
	case syntax.StatusTooLarge:
		return parserv1.FileStatus_FILE_STATUS_TOO_LARGE
	case syntax.StatusBinary:
		return parserv1.FileStatus_FILE_STATUS_BINARY
	case syntax.StatusTimeout:
		return parserv1.FileStatus_FILE_STATUS_TIMEOUT
	case syntax.StatusCrashed:
		return parserv1.FileStatus_FILE_STATUS_CRASHED
	case syntax.StatusQuarantined:
		return parserv1.FileStatus_FILE_STATUS_QUARANTINED
	case syntax.StatusPartial:
		return parserv1.FileStatus_FILE_STATUS_PARTIAL
	default:
		return parserv1.FileStatus_FILE_STATUS_UNSPECIFIED
	}
}

// FileStatusFromProto converts how far an analysis came back.
func FileStatusFromProto(in parserv1.FileStatus) syntax.Status {
	switch in {
	case parserv1.FileStatus_FILE_STATUS_OK:
		return syntax.StatusOK
	case parserv1.FileStatus_FILE_STATUS_UNSUPPORTED:
		return syntax.StatusUnsupported
	case parserv1.FileStatus_FILE_STATUS_TOO_LARGE:
		return syntax.StatusTooLarge
	case parserv1.FileStatus_FILE_STATUS_BINARY:
		return syntax.StatusBinary
	case parserv1.FileStatus_FILE_STATUS_TIMEOUT:
		return syntax.StatusTimeout
	case parserv1.FileStatus_FILE_STATUS_CRASHED:
		return syntax.StatusCrashed
	case parserv1.FileStatus_FILE_STATUS_QUARANTINED:
		return syntax.StatusQuarantined
	case parserv1.FileStatus_FILE_STATUS_PARTIAL:
		return syntax.StatusPartial
	default:
		return ""
	}
}

// SymbolKindToProto converts what a definition defines.
func SymbolKindToProto(k syntax.Kind) parserv1.SymbolKind {
	switch k {
	case syntax.Function:
		return parserv1.SymbolKind_SYMBOL_KIND_FUNCTION
	case syntax.Method:
		return parserv1.SymbolKind_SYMBOL_KIND_METHOD
	case syntax.Class:
		return parserv1.SymbolKind_SYMBOL_KIND_CLASS
	case syntax.Struct:
		return parserv1.SymbolKind_SYMBOL_KIND_STRUCT
	case syntax.Interface:
		return parserv1.SymbolKind_SYMBOL_KIND_INTERFACE
	case syntax.Enum:
		return parserv1.SymbolKind_SYMBOL_KIND_ENUM
	case syntax.Type:
		return parserv1.SymbolKind_SYMBOL_KIND_TYPE
	case syntax.Constant:
		return parserv1.SymbolKind_SYMBOL_KIND_CONSTANT
	case syntax.Variable:
		return parserv1.SymbolKind_SYMBOL_KIND_VARIABLE
	case syntax.Field:
		return parserv1.SymbolKind_SYMBOL_KIND_FIELD
	case syntax.Module:
		return parserv1.SymbolKind_SYMBOL_KIND_MODULE
	default:
		return parserv1.SymbolKind_SYMBOL_KIND_UNSPECIFIED
	}
}

// SymbolKindFromProto converts what a definition defines back.
func SymbolKindFromProto(in parserv1.SymbolKind) syntax.Kind {
	switch in {
	case parserv1.SymbolKind_SYMBOL_KIND_FUNCTION:
		return syntax.Function
	case parserv1.SymbolKind_SYMBOL_KIND_METHOD:
		return syntax.Method
	case parserv1.SymbolKind_SYMBOL_KIND_CLASS:
		return syntax.Class
	case parserv1.SymbolKind_SYMBOL_KIND_STRUCT:
		return syntax.Struct
	case parserv1.SymbolKind_SYMBOL_KIND_INTERFACE:
		return syntax.Interface
	case parserv1.SymbolKind_SYMBOL_KIND_ENUM:
		return syntax.Enum
	case parserv1.SymbolKind_SYMBOL_KIND_TYPE:
		return syntax.Type
	case parserv1.SymbolKind_SYMBOL_KIND_CONSTANT:
		return syntax.Constant
	case parserv1.SymbolKind_SYMBOL_KIND_VARIABLE:
		return syntax.Variable
	case parserv1.SymbolKind_SYMBOL_KIND_FIELD:
		return syntax.Field
	case parserv1.SymbolKind_SYMBOL_KIND_MODULE:
		return syntax.Module
	default:
		return ""
	}
}

// ReferenceKindToProto converts how a name is used.
func ReferenceKindToProto(r syntax.ReferenceKind) parserv1.ReferenceKind {
	switch r {
	case syntax.Call:
		return parserv1.ReferenceKind_REFERENCE_KIND_CALL
	case syntax.TypeUse:
		return parserv1.ReferenceKind_REFERENCE_KIND_TYPE
	case syntax.Inherit:
		return parserv1.ReferenceKind_REFERENCE_KIND_INHERIT
	case syntax.Read:
		return parserv1.ReferenceKind_REFERENCE_KIND_READ
	default:
		return parserv1.ReferenceKind_REFERENCE_KIND_UNSPECIFIED
	}
}

// ReferenceKindFromProto converts how a name is used back.
func ReferenceKindFromProto(in parserv1.ReferenceKind) syntax.ReferenceKind {
	switch in {
	case parserv1.ReferenceKind_REFERENCE_KIND_CALL:
		return syntax.Call
	case parserv1.ReferenceKind_REFERENCE_KIND_TYPE:
		return syntax.TypeUse
	case parserv1.ReferenceKind_REFERENCE_KIND_INHERIT:
		return syntax.Inherit
	case parserv1.ReferenceKind_REFERENCE_KIND_READ:
		return syntax.Read
	default:
		return ""
	}
}

// SuggestionVerdictToProto converts what a replacement does.
func SuggestionVerdictToProto(v syntax.Verdict) parserv1.SuggestionVerdict {
	switch v {
	case syntax.VerdictOK:
		return parserv1.SuggestionVerdict_SUGGESTION_VERDICT_OK
	case syntax.VerdictBreaks:
		return parserv1.SuggestionVerdict_SUGGESTION_VERDICT_BREAKS
	case syntax.VerdictReindented:
		return parserv1.SuggestionVerdict_SUGGESTION_VERDICT_REINDENTED
	case syntax.VerdictNoChange:
		return parserv1.SuggestionVerdict_SUGGESTION_VERDICT_NO_CHANGE
	case syntax.VerdictUnknown:
		return parserv1.SuggestionVerdict_SUGGESTION_VERDICT_UNKNOWN
	default:
		return parserv1.SuggestionVerdict_SUGGESTION_VERDICT_UNSPECIFIED
	}
}

// SuggestionVerdictFromProto converts what a replacement does back.
func SuggestionVerdictFromProto(in parserv1.SuggestionVerdict) syntax.Verdict {
	switch in {
	case parserv1.SuggestionVerdict_SUGGESTION_VERDICT_OK:
		return syntax.VerdictOK
	case parserv1.SuggestionVerdict_SUGGESTION_VERDICT_BREAKS:
		return syntax.VerdictBreaks
	case parserv1.SuggestionVerdict_SUGGESTION_VERDICT_REINDENTED:
		return syntax.VerdictReindented
	case parserv1.SuggestionVerdict_SUGGESTION_VERDICT_NO_CHANGE:
		return syntax.VerdictNoChange
	case parserv1.SuggestionVerdict_SUGGESTION_VERDICT_UNKNOWN:
		return syntax.VerdictUnknown
	default:
		return ""
	}
}
