# Headers and the package that find_package(qlr) finds; nothing in it depends on the machine or on where it is installed.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/qlr)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/qlr-config.cmake.in ${PROJECT_BINARY_DIR}/qlr-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/qlr-config-version.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/qlr DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT qlr)
install(FILES ${PROJECT_BINARY_DIR}/qlr-config.cmake ${PROJECT_BINARY_DIR}/qlr-config-version.cmake
              ${PROJECT_SOURCE_DIR}/cmake/qlr-dependencies.cmake
        DESTINATION ${package_dir} COMPONENT qlr)
foreach(side run qlr)
  if(TARGET qlr_${side})
    install(TARGETS qlr_${side} EXPORT qlr-${side}-targets)
    install(EXPORT qlr-${side}-targets NAMESPACE qlr:: DESTINATION ${package_dir} COMPONENT qlr)
  endif()
endforeach()
