# SPDX-License-Identifier: GPL-3.0-or-later
"""Which module of this package holds each old command, and where a site may have another.

Data only, so that a start stays fast.
"""

from __future__ import annotations

SCRIPTS = "/opt/opengnsys/scripts"  # of the site, without OGSCRIPTS
# By the site's NAMECustom; that of other scripts runs beside them.
REPLACED = ("configureOs", "createImage", "deployImage", "restoreImage")

_BY_MODULE = {
    "boot": "IniciarSesion bootLinux bootOs bootWindows ogBoot ogLinuxBootParameters",
    "cache": """
        ogCreateCache ogDeleteCache ogFindCache ogFormatCache ogGetCacheSize ogGetCacheSpace
        ogMountCache ogUnmountCache""",
    "cache_update": "ogUpdateCacheIsNecesary",
    "configuration": "Configurar getConfiguration",
    "configure": """
        configureOs ogCleanLinuxDevices ogCleanOs ogConfigureFstab ogConfigureOgagent
        ogSetLinuxName ogUninstallLinuxClient""",
    "create_script": "createImage",
    "deploy_scripts": "deployImage restoreImage",
    "disk_read": """
        ogDevToDisk ogDiskToDev ogGetDiskSize ogGetDiskType ogGetEsp ogGetLastSector
        ogGetPartitionTableType""",
    "disk_table": """
        ogCreateGptPartitions ogCreatePartitionTable ogCreatePartitions ogDeletePartitionTable
        ogUpdatePartitionTable""",
    "disk_types": "ogIdToType ogTypeToId",
    "disk_write": """
        ogHidePartition ogSetPartitionActive ogSetPartitionId ogSetPartitionSize
        ogSetPartitionType ogUnhidePartition""",
    "efi_copies": """
        ogCopyEfiBootLoader ogRestoreEfiBootLoader ogRestoreUuidPartitions ogUuidChange""",
    "file": """
        ogCalculateChecksum ogCalculateFullChecksum ogCompareChecksumFiles ogCopyFile
        ogDeleteFile ogDeleteTree ogGetParentPath ogGetPath ogIsNewerFile ogMakeChecksumFile
        ogMakeDir""",
    "filesystem_mount": """
        ogMount ogMountCdrom ogMountFirstFs ogMountFs ogUnmount ogUnmountAll ogUnmountFs""",
    "filesystem_read": """
        ogGetFreeSize ogGetFsSize ogGetFsType ogGetMountPoint ogIsFormated ogIsMounted
        ogIsReadonly ogIsWritable""",
    "filesystem_write": """
        ogCheckFs ogExtendFs ogFormat ogFormatFs ogReduceFs ogUnsetDirtyBit""",
    "grub_install": """
        ogBootMbrGeneric ogBootMbrXP ogGetBootMbr ogGrubInstallMbr ogGrubInstallPartition
        ogGrubUefiConf""",
    "grub_look": """
        ogBootLoaderSetAdminKeys ogBootLoaderSetResolution ogBootLoaderSetTheme
        ogBootLoaderSetTimeOut ogGrubSecurity ogGrubSetAdminKeys ogGrubSetResolution
        ogGrubSetTheme ogGrubSetTimeOut""",
    "grub_menu": """
        ogBootLoaderDefaultEntry ogBootLoaderDeleteEntry ogBootLoaderHidePartitions
        ogBootLoaderOgliveDefaultEntry ogGrubAddOgLive ogGrubDefaultEntry ogGrubDeleteEntry
        ogGrubHidePartitions ogGrubOgliveDefaultEntry""",
    "image_disk": "ogCreateDiskImage ogRestoreDiskImage",
    "image_file": "ogCreateImage ogRestoreImage",
    "image_lock": "ogIsImageLocked ogLockImage ogUnlockImage",
    "image_read": """
        ogGetImageCompressor ogGetImageInfo ogGetImageProgram ogGetImageSize ogGetImageType""",
    "image_size": "ogGetSizeParameters",
    "image_syntax": "ogCreateImageSyntax ogRestoreImageSyntax",
    "image_table": """
        ogCreateBootLoaderImage ogCreateGptImage ogCreateMbrImage ogRestoreBootLoaderImage
        ogRestoreGptImage ogRestoreMbrImage""",
    "interface": """
        Apagar CambiarAcceso ConsolaRemota CrearImagen EjecutarScript InventarioHardware
        InventarioSoftware Reiniciar RestaurarImagen procesaCache""",
    "inventory": """
        ogGetArch ogGetOsType ogGetOsUuid ogGetOsVersion ogGetSerialNumber ogIsEfiActive
        ogListHardwareInfo ogListSoftware""",
    "lock": """
        ogIsDiskLocked ogIsLocked ogIsPartitionLocked ogLock ogLockDisk ogLockPartition ogUnlock
        ogUnlockDisk ogUnlockPartition""",
    "net": """
        ogChangeRepo ogGetGroupDir ogGetGroupName ogGetHostname ogGetIpAddress ogGetMacAddress
        ogGetNetInterface ogGetRepoIp ogGetServerIp ogMakeGroupDir""",
    "nvram": """
        ogNvramActiveEntry ogNvramAddEntry ogNvramDeleteEntry ogNvramGetCurrent ogNvramGetNext
        ogNvramGetOrder ogNvramGetTimeout ogNvramInactiveEntry ogNvramList ogNvramPxeFirstEntry
        ogNvramSetNext ogNvramSetOrder ogNvramSetTimeout""",
    "partition_read": """
        ogGetPartitionActive ogGetPartitionId ogGetPartitionSize ogGetPartitionType
        ogGetPartitionsNumber ogListLogicalPartitions ogListPartitions ogListPrimaryPartitions""",
    "postconf": "ogDeletePartitionsLabels ogDiskToRelativeDev ogInfoCache",
    "refind": """
        ogRefindDefaultEntry ogRefindDeleteEntry ogRefindInstall ogRefindOgliveDefaultEntry
        ogRefindSetResolution ogRefindSetTheme ogRefindSetTimeOut""",
    "retired": """
        NTAutoLogon NTChangeName NTPolUserOFF NTPolUserOn NTRunMachine NTRunOnceMachine NTRunUser
        NTSetGroupName NTSetOwner NTStartRecovery NTStatusRatonTeclado ogAddToLaunchDaemon
        ogBurgDefaultEntry ogBurgDeleteEntry ogBurgHidePartitions ogBurgInstallMbr
        ogBurgOgliveDefaultEntry ogBurgSetAdminKeys ogBurgSetResolution ogBurgSetTheme
        ogBurgSetTimeOut ogGrub4dosInstallMbr ogHiveNTRunMachine ogInstallLaunchDaemon
        ogLoadHiveWindows ogNTPolUserOn ogSchrootLinux ogSetWindowsChkdisk ogUpdateHiveWindows""",
    "small_scripts": """
        createLogicalPartitions createPrimaryPartitions formatFs getFsType getIpAddress
        getOsVersion initCache listPartitions listPrimaryPartitions""",
    "string": "ogCheckIpAddress ogCheckStringInGroup ogCheckStringInReg",
    "system": """
        ogCheckProgram ogEcho ogExecAndLog ogGetCaller ogHelp ogIsRepoLocked ogIsVirtualMachine
        ogRaiseError""",
    "ucast": "ogUcastReceiverPartition ogUcastSendFile ogUcastSendPartition ogUcastSyntax",
    "update_script": "updateCache",
    "windows": """
        ogAddCmd ogDomainScript ogFixBootSector ogGetWindowsName ogInstallFirstBoot
        ogInstallMiniSetup ogInstallRunonce ogSetWindowsName ogSetWinlogonUser
        ogUninstallWindowsClient ogWindowsBootParameters ogWindowsRegisterPartition""",
}

MODULE_OF = {name: module for module, names in _BY_MODULE.items() for name in names.split()}
