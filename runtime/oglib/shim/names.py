# SPDX-License-Identifier: GPL-3.0-or-later
"""Which module of this package holds each old command; data only, so that a start stays fast."""

from __future__ import annotations

_BY_MODULE = {
    "cache": """
        ogCreateCache ogDeleteCache ogFindCache ogFormatCache ogGetCacheSize ogGetCacheSpace
        ogMountCache ogUnmountCache""",
    "disk": """
        ogCreateGptPartitions ogCreatePartitionTable ogCreatePartitions ogDeletePartitionTable
        ogDevToDisk ogDiskToDev ogGetDiskSize ogGetDiskType ogGetEsp ogGetLastSector
        ogGetPartitionActive ogGetPartitionId ogGetPartitionSize ogGetPartitionTableType
        ogGetPartitionType ogGetPartitionsNumber ogHidePartition ogIdToType ogIsDiskLocked
        ogListLogicalPartitions ogListPartitions ogListPrimaryPartitions ogLockDisk
        ogSetPartitionActive ogSetPartitionId ogSetPartitionSize ogSetPartitionType ogTypeToId
        ogUnhidePartition ogUnlockDisk ogUpdatePartitionTable""",
    "file": """
        ogCalculateChecksum ogCalculateFullChecksum ogCompareChecksumFiles ogCopyFile
        ogDeleteFile ogDeleteTree ogGetParentPath ogGetPath ogIsNewerFile ogMakeChecksumFile
        ogMakeDir""",
    "filesystem": """
        ogCheckFs ogExtendFs ogFormat ogFormatFs ogGetFreeSize ogGetFsSize ogGetFsType
        ogGetMountPoint ogIsFormated ogIsLocked ogIsMounted ogIsPartitionLocked ogIsReadonly
        ogIsWritable ogLock ogLockPartition ogMount ogMountCdrom ogMountFirstFs ogMountFs
        ogReduceFs ogUnlock ogUnlockPartition ogUnmount ogUnmountAll ogUnmountFs
        ogUnsetDirtyBit""",
    "inventory": """
        ogGetArch ogGetOsType ogGetOsUuid ogGetOsVersion ogGetSerialNumber ogIsEfiActive
        ogListHardwareInfo ogListSoftware""",
    "net": """
        ogChangeRepo ogGetGroupDir ogGetGroupName ogGetHostname ogGetIpAddress ogGetMacAddress
        ogGetNetInterface ogGetRepoIp ogGetServerIp ogMakeGroupDir""",
    "string": "ogCheckIpAddress ogCheckStringInGroup ogCheckStringInReg",
    "system": """
        ogCheckProgram ogEcho ogExecAndLog ogGetCaller ogHelp ogIsRepoLocked ogIsVirtualMachine
        ogRaiseError""",
}

MODULE_OF = {name: module for module, names in _BY_MODULE.items() for name in names.split()}
