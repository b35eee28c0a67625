# The leak rule: a kernel object defines exactly one symbol that the linker sees from outside.
# A second one (an inline function of a shared header, say) could be taken from the build for a newer
# CPU and run on an older one.
execute_process(COMMAND ${NM} --defined-only --extern-only ${OBJECT} OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${NM} could not read ${OBJECT}")
endif()
string(REGEX MATCHALL "[^\n]+" symbols "${listing}")
list(LENGTH symbols count)
if(NOT count EQUAL 1 OR NOT listing MATCHES "chainrule_target_${TARGET}")
  message(FATAL_ERROR "kernels for ${TARGET}: expected one exported symbol, chainrule_target_${TARGET}, got:\n${listing}")
endif()
